"""Frames of each transfer syntax: decoded for looking, filled and written in the same syntax (PS3.5 8.2)."""
