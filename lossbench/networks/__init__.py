"""The networks, one per file: images (B, 1, 28, 28) to features (B, D), knowing nothing of losses."""
