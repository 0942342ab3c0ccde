"""Train one run: the loop, the optimizer, evaluation, checkpoints, device and signals."""
