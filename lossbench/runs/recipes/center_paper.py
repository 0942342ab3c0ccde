"""The released MNIST example of the center-loss authors: 10,000 steps of SGD on LeNet++."""

from ...specs import RecipeSpec

SPEC = RecipeSpec(
    title="Center loss, released example",
    summary="LeNet++ with a PReLU after the feature, SGD, 10,000 steps of 128, lambda 0.01",
    source="Wen et al., ECCV 2016; ydwen/caffe-face, mnist_example (network and solver)",
    losses=("softmax", "center"),
    options={
        "network": "lenet++-released",
        "augment": "none",
        "epochs": 23,
        "batch_size": 128,
        "optimizer": "sgd",
        "lr": 0.01,
        "weight_decay": 5e-4,
        "momentum": 0.9,
        "nesterov": False,
        "schedule": "step",
        "warmup": 0.0,
        "milestones": "0.5,0.8",
        "decay": 0.8,
        "precision": "fp32",
    },
    settings={"softmax.bias": False, "center.alpha": 0.5},
    weights={"center": 0.01},
    departures=(
        "23 epochs of 429 steps are 9,867 steps. Caffe gives biases twice the rate and no weight decay. "
        "There centers start uniform in +-1.22 and move by the optimizer; here they move by the paper's rule."
    ),
)
