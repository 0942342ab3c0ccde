"""Recipes, one per file: ways of training as data, named by `--recipe`. Each file is one `SPEC`."""
