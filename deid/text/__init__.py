"""Free text: what in it identifies, by known identifiers, patterns, vocabulary and names; and cleaning it."""
