"""One run: its configuration, its result, its files, and the run as figures see it."""
