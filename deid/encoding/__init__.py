"""Bytes to elements and back: headers, transfer syntaxes, character sets, deflated data, what leaves."""
