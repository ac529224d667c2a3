"""Figures beside other programs, on one machine in one run: ``python -m tests.benchmarks``.

Nothing here asserts: a benchmark prints, a person judges. Every figure stands beside a reference that
was measured in the same round, and the ratio is what travels from one machine to another.
"""
