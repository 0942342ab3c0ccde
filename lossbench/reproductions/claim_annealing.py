"""Claim: SphereFace needs annealing, ArcFace does not."""

from ._checks import equal, greater, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: SphereFace needs annealing",
    source="Deng et al., CVPR 2019, section 2; Liu et al., CVPR 2017",
    locus="stated in the text",
    question="Does SphereFace learn only with annealing, and ArcFace as well without a soft start?",
    published="SphereFace's margin needs a mixture with softmax that is annealed; ArcFace trains stably.",
    recipe="SphereFace m = 4, mixed with softmax whose weight falls from 1000 towards 0, and not "
    f"mixed; ArcFace with and without soft start. {FAST_RECIPE}",
    runs={
        "SphereFace": {"loss": "sphereface", "lambda_min": 0.0},
        "SphereFace, none": {"loss": "sphereface", "lambda_min": 0.0, "base": 0.0, "soft_start": 0.0},
        "ArcFace": {"loss": "arcface"},
        "ArcFace, none": {"loss": "arcface", "soft_start": 0.0},
    },
    common=FAST,
    figures=(Drawn("training"),),
    checks=(
        greater("test_accuracy", "SphereFace", than="SphereFace, none"),
        within("trained", "SphereFace, none", high=0.5),
        equal("test_accuracy", "ArcFace, none", "ArcFace", margin=0.005),
    ),
)
