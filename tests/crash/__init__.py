"""Kills of the running service while instances come in by all doors, and the account of what became of them."""
