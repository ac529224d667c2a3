"""The HTTP server: limits of its own, health, metrics, and the DICOMweb services mounted in it."""
