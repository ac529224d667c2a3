"""Whether two files are one instance in two encodings: what each element says, and what each frame shows."""
