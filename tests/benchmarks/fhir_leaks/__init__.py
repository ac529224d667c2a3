"""Resources with planted originals, and what becomes of them (``python -m tests.benchmarks.fhir_leaks``)."""
