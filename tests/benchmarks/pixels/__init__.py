"""Burned-in text: how much is found, how much else is touched, and what it costs.

``python -m tests.benchmarks.pixels --held-out`` prints the figures of the half of the seeds that was
never used for tuning; ``--tuning`` those of the other half. Odd seeds are held out, and the two
halves share neither names nor machine texts.
"""
