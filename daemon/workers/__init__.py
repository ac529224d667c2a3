"""Processes that do the dangerous work and can be killed. They know nothing of what the work is.

::

    pool ── worker ══ socket, messages in frames ══> child, under limits ──> the handler of jobs

``mapping`` and ``writing`` are how such a handler reads a source and writes a result; ``errors`` says how a
job can end without an answer, ``reasons`` with which code.
"""
