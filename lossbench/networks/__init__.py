"""The networks, one per file: normalized samples to features (B, D), knowing nothing of losses.

Each is one class, built from `(input_shape, feature_dim)` with the shape of a sample: (C, H, W) of an image,
or (D0,) where samples are features of another network.
"""
