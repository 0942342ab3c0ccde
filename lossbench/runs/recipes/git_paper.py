"""The authors' MNIST training of Git loss: 8,000 steps of Adam."""

from ...specs import RecipeSpec

SPEC = RecipeSpec(
    title="Git loss, released code",
    summary="Adam at a constant 0.001, 8,000 steps of 128, lambda_C and lambda_G 1",
    source="Calefati et al., BMVC 2018; kjanjua26/Git-Loss-For-Deep-Face-Recognition, gitloss.py",
    losses=("git",),
    options={
        "augment": "none",
        "epochs": 19,
        "batch_size": 128,
        "optimizer": "adamw",
        "lr": 0.001,
        "weight_decay": 0.0,
        "schedule": "constant",
    },
    settings={"git.alpha": 0.5, "git.push": 1.0},
    weights={"git": 1.0},
    departures=(
        "19 epochs of 429 steps are 8,151 steps, on the network chosen here. The authors' code takes the "
        "push per coordinate; here it is the paper's squared distance."
    ),
)
