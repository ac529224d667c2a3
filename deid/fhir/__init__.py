"""FHIR resources, de-identified as the images they belong to: the same pseudonyms, shifts and UIDs.

Every element of R4 has a type, and each type and some paths have an action (``deid/tables/fhir_actions.csv``);
what has none does not pass. Start reading at `deid.fhir.deidentify`. Nothing is imported here: a configuration
is read in every run, and most meet no resource.
"""
