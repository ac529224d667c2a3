"""The ways in: C-STORE (`dimse`), STOW-RS (`stow`), watched folders (`watch`)."""
