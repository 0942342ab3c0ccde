"""How fast things are here, one subject per file: `measure` times it and returns a `result.Benchmark`."""
