"""CosFace, Figure 4: eight classes become narrower with the cosine margin."""

from ._checks import even_directions, greater, trend
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="CosFace, Fig. 4",
    source="Wang et al., CVPR 2018, Fig. 4",
    locus="read in the figure",
    question="Do eight classes in the plane become narrower with the margin, and lie evenly on the circle?",
    published="Eight faces, softmax and m = 0, 0.1, 0.2 (the bound is 0.29): arcs shrink, gaps widen.",
    recipe=f"Eight digits instead of faces. {FAST_RECIPE}",
    runs={"softmax": {"loss": "softmax"}}
    | {f"m = {margin}": {"loss": "cosface", "margin": margin} for margin in (0.0, 0.1, 0.2)},
    common={"unseen": "8,9", **FAST},
    figures=(Drawn("features", {"view": "normalized", "split": "train"}), Drawn("ring")),
    checks=(
        greater("angular-spread", "softmax", than="m = 0.2"),
        trend("angular-spread", ["m = 0.0", "m = 0.1", "m = 0.2"], rising=False),
        even_directions("m = 0.2", classes=8),
    ),
)
