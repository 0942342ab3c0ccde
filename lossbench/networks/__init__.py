"""The networks, one per file: normalized images (B, C, H, W) to features (B, D), knowing nothing of losses.

Each is one class, built from `(input_shape, feature_dim)` with the shape (C, H, W) of an image.
"""
