"""Center loss, Figure 3: the weight of the center term draws the classes together."""

from ._checks import equal, trend
from ._reproduction import Drawn, Reproduction

SPEC = Reproduction(
    title="Center loss, Fig. 3",
    source="Wen et al., ECCV 2016, Fig. 3",
    locus="read in the figure",
    question="Does a larger λ make the classes of 2-D features more compact and leave them separable?",
    published="Four panels with λ 0.001, 0.01, 0.1 and 1: the clusters shrink and stay apart.",
    recipe="Solver of the released example (SGD, rate 0.01, momentum 0.9, steps of 128), α 0.5: the paper "
    "gives no other. Its 23 epochs, on the compact network: LeNet++ takes hours on a CPU core.",
    runs={f"λ = {weight}": {"lambda": weight} for weight in (0.001, 0.01, 0.1, 1.0)},
    common={"loss": "center", "recipe": "center-paper", "network": "compact"},
    seeds=8,
    fewer_seeds="Eight seeds, as one run takes several minutes on a CPU core; with fewer than seven the "
    "sign-flip test cannot reach the 5 % level after Holm.",
    figures=(Drawn("lambda-grid", {"split": "train"}),),
    checks=(
        trend("spread-gap", ["λ = 0.001", "λ = 0.01", "λ = 0.1", "λ = 1.0"], rising=False),
        equal("test_accuracy", "λ = 1.0", "λ = 0.001", margin=0.01),
    ),
)
