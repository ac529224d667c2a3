"""Data elements de-identified: `rules` decide, `walk` carries out, `recognition` doubts what no table names."""
