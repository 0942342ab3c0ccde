"""What is measured of features, one metric per file: `compute(Measured)` gives a float."""
