"""The standard's web services (PS3.18): STOW-RS, QIDO-RS and WADO-RS over small ports (`ports.py`)."""
