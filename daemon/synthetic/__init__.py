"""Synthetic people, and whole, plausible instances of them: nobody real, the same for the same seed.

The demonstration sends them, and tests are built on them; nothing else imports this room. A module makes
instances of one modality, in Explicit VR Little Endian with their `file_meta`; `encodings` puts them into
other transfer syntaxes, `collection` is a small set of every kind. Identifying attributes are filled as
hospitals fill them, so that de-identification has something to do.
"""
