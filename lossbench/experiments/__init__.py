"""Many runs with a purpose: grids, comparisons, searches of settings."""
