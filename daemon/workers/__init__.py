"""Processes that do the dangerous work and can be killed: pool, worker, child, limits."""
