"""Text: character sets, and what in it identifies."""
