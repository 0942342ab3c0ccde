"""lossbench: see what a loss does to a feature space, and trust the comparison."""

__version__ = "0.1.0"
