"""OHIF beside the stores: `release` says which, `fetching` and `unpacking` bring it, `service` serves it.

Its files are no part of dicomveil: an operator installs them, and a table made then says what may be served.
"""
