"""The data sets, one per file: `load(folder, download)` gives the official (train, test) images."""
