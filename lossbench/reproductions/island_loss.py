"""Island loss: the directions of centers part."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Island loss, 2-D features",
    source="Cai et al., FG 2018, arXiv 1710.03144, eqs. 6, 7",
    locus="stated in the text",
    question="Do class centers lie farther apart in direction than with center loss?",
    published="A term of the cosines between centers, beside the center loss, is to push the classes apart.",
    recipe=f"λ 0.01, λ1 10 (footnote 1 of the paper), α 1. {FAST_RECIPE}",
    runs={
        "center": {"loss": "center", "lambda": 0.01, "alpha": 1.0},
        "island": {"loss": "island", "lambda": 0.01, "alpha": 1.0},
    },
    common=FAST,
    figures=(Drawn("features"),),
    checks=(
        greater("angular-gap", "island", than="center"),
        greater("spread-gap", "center", than="island"),
    ),
)
