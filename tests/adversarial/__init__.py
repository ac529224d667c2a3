"""The project's adversarial corpus: places where identifiers hide, an answer key, a scorer."""
