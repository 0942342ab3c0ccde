"""ArcFace, Figure 4b: the target logits of six losses are those of its equation 4."""

import math

from ._checks import combined_curve, target_curve
from ._reproduction import Drawn, Reproduction

SPEC = Reproduction(
    title="ArcFace, Fig. 4b",
    source="Deng et al., CVPR 2019, Fig. 4b and eq. 4",
    locus="stated in the text",
    question="Do the target logits between 20 and 100 degrees follow the formula behind the figure?",
    published="cos(m1 θ + m2) - m3 with (1, 0, 0), (1.35, 0, 0), (1, 0.5, 0), (1, 0, 0.35), (1, 0.3, 0.2) "
    "and (0.9, 0.4, 0.15).",
    recipe="Nothing is trained: the curves follow from the code of the losses, at scale 64. (1.35, "
    "0, 0) is tested and not drawn.",
    runs={
        "softmax": {"loss": "normface", "scale": 64.0},
        "ArcFace": {"loss": "arcface", "scale": 64.0, "margin": 0.5},
        "CosFace": {"loss": "cosface", "scale": 64.0, "margin": 0.35},
        "CM1": {"loss": "combined-margin", "scale": 64.0, "m1": 1.0, "m2": 0.3, "m3": 0.2},
        "CM2": {"loss": "combined-margin", "scale": 64.0, "m1": 0.9, "m2": 0.4, "m3": 0.15},
    },
    trained=False,
    figures=(Drawn("target-logits"),),
    checks=(
        target_curve("normface", {"scale": 64.0}, math.cos, text="cos θ"),
        target_curve(
            "arcface", {"scale": 64.0, "margin": 0.5}, lambda t: math.cos(t + 0.5), text="cos(θ + 0.5)"
        ),
        target_curve(
            "cosface", {"scale": 64.0, "margin": 0.35}, lambda t: math.cos(t) - 0.35, text="cos θ - 0.35"
        ),
        combined_curve(1.35, 0.0, 0.0),
        combined_curve(1.0, 0.3, 0.2),
        combined_curve(0.9, 0.4, 0.15),
    ),
)
