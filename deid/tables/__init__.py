"""Tables of the standard, as data; see README.md here for editions and origins."""
