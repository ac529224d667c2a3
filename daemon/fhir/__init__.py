"""FHIR stores over HTTP: the R4 REST service over small ports it names itself."""
