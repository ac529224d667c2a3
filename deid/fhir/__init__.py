"""FHIR resources, de-identified as the images they belong to: the same pseudonyms, shifts and UIDs.

Every element of R4 has a type, and each type and some paths have an action; what has none does not pass. Start
reading at `deid.fhir.reading` (bytes to resources) and `deid.fhir.ties` (what belongs to what).
"""
