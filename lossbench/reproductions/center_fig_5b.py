"""Center loss, Figure 5b, on MNIST: accuracy hardly depends on alpha."""

from ._checks import equal
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Center loss, Fig. 5b (analogue on MNIST)",
    source="Wen et al., ECCV 2016, Fig. 5b",
    locus="read in the figure",
    question="Is the accuracy flat over the rate α of the centers?",
    published="Verification accuracy of faces (LFW) for α from 0.01 to 1 at λ 0.003: a plateau.",
    recipe=f"An analogue: digits instead of faces, test accuracy instead of verification. {FAST_RECIPE}",
    runs={f"α = {alpha}": {"alpha": alpha} for alpha in (0.01, 0.1, 0.5, 1.0)},
    common={"loss": "center", "lambda": 0.003, **FAST},
    figures=(Drawn("curves", {"over": "alpha", "metric": "test_accuracy,spread-gap"}),),
    checks=(
        equal("test_accuracy", "α = 0.01", "α = 0.5", margin=0.003),
        equal("test_accuracy", "α = 0.1", "α = 0.5", margin=0.003),
        equal("test_accuracy", "α = 1.0", "α = 0.5", margin=0.003),
    ),
)
