"""De-identifying data elements: `rewrite` walks, `rules` decides, `values` replaces, `judge` doubts."""
