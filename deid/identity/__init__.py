"""Who, and what stands for them: keys, replacement values, known identifiers, the last search."""
