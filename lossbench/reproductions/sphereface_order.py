"""SphereFace: accuracy rises with the margin m."""

from ._checks import trend
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="SphereFace, order of m (analogue on MNIST)",
    source="Liu et al., CVPR 2017, Sec. 4.2",
    locus="not verified in the source",
    question="Does the accuracy of A-Softmax rise with m?",
    published="Accuracy on faces (LFW) rises with m = 1, 2, 3, 4; it is 97.88 % for softmax and 99.42 % "
    "for A-Softmax (as Tab. 2 of CosFace cites it).",
    recipe=f"An analogue on digits; annealing with least λ 1. {FAST_RECIPE}",
    runs={f"m = {margin}": {"margin": float(margin)} for margin in (1, 2, 3, 4)},
    common={"loss": "sphereface", **FAST},
    figures=(Drawn("curves", {"over": "margin", "metric": "test_accuracy,map-at-r"}),),
    checks=(
        trend("test_accuracy", ["m = 1", "m = 2", "m = 3", "m = 4"], rising=True),
        trend("map-at-r", ["m = 1", "m = 2", "m = 3", "m = 4"], rising=True),
    ),
)
