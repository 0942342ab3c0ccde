"""Center loss, Figure 5a, on MNIST: accuracy hardly depends on lambda."""

from ._checks import equal, greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Center loss, Fig. 5a (analogue on MNIST)",
    source="Wen et al., ECCV 2016, Fig. 5a",
    locus="read in the figure",
    question="Is λ = 0 worst, and is the accuracy flat over a wide range of λ?",
    published="Verification accuracy of faces (LFW) for λ from 0 to 0.1 at α 0.5: 0 is worst, then a "
    "plateau.",
    recipe="An analogue: digits instead of faces, test accuracy instead of verification. Flat means by "
    f"less than 0.3 points, our choice; the rule on MAP@R is ours, too. {FAST_RECIPE}",
    runs={f"λ = {weight}": {"lambda": weight} for weight in (0.0, 0.001, 0.003, 0.01, 0.1)},
    common={"loss": "center", **FAST},
    figures=(Drawn("curves", {"over": "lambda", "metric": "test_accuracy,spread-gap"}),),
    checks=(
        greater("test_accuracy", "λ = 0.003", than="λ = 0.0"),
        equal("test_accuracy", "λ = 0.1", "λ = 0.003", margin=0.003),
        equal("test_accuracy", "λ = 0.001", "λ = 0.003", margin=0.003),
        greater("map-at-r", "λ = 0.003", than="λ = 0.0"),
    ),
)
