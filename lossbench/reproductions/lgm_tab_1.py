"""L-GM, Table 1: its error is the smallest, and falls with its margin."""

from ._checks import greater, trend
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="L-GM, Tab. 1 (2-D MNIST)",
    source="Wan et al., CVPR 2018, Tab. 1",
    locus="stated in the text",
    question="Is L-GM more accurate than softmax, center and L-Softmax, and does its margin help?",
    published="Test errors: softmax 1.82, center 1.45, L-Softmax 1.30, L-GM 1.44, 1.32, 1.17 % for α 0, "
    "0.3, 1.",
    recipe="Center 0.01, m = 4, λ of L-GM 0.1. A trend over three groups is the change from the first to "
    f"the last. {FAST_RECIPE}",
    runs={
        "softmax": {"loss": "softmax"},
        "center": {"loss": "center", "lambda": 0.01},
        "l-softmax": {"loss": "l-softmax", "margin": 4},
        "α = 0": {"loss": "lgm", "alpha": 0.0},
        "α = 0.3": {"loss": "lgm", "alpha": 0.3},
        "α = 1": {"loss": "lgm", "alpha": 1.0},
    },
    common=FAST,
    figures=(Drawn("leaderboard"),),
    checks=(
        greater("test_accuracy", "α = 1", than="softmax"),
        greater("test_accuracy", "α = 1", than="center"),
        greater("test_accuracy", "α = 1", than="l-softmax"),
        trend("test_accuracy", ["α = 0", "α = 0.3", "α = 1"], rising=True),
    ),
)
