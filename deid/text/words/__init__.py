"""Word lists, as data; `README.md` beside them says where they come from."""
