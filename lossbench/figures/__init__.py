"""The figures, one per file: arrays in, drawn on the given axes; none trains or reads a file."""
