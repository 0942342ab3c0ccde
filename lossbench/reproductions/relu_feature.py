"""Softmax with a ReLU after the feature: all classes in one quadrant."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="ReLU after the feature, one quadrant",
    source="Liu et al., CVPR 2017 (SphereFace), arXiv 1704.08063, appendix A",
    locus="stated in the text",
    question="Does a ReLU after a 2-D feature crowd all classes into one quadrant, at a cost of accuracy?",
    published="A ReLU after the feature leaves all 2-D features of MNIST in the first quadrant, with "
    "less room for angles; the authors remove it.",
    recipe="That it costs accuracy is our question, not the paper's. One quadrant follows from the ReLU, "
    "and has no rule; crowded means that fewer class means lie outside the hull of the others. A "
    f"class without positive values is at the origin, and has no direction. {FAST_RECIPE}",
    runs={"linear": {"feature_activation": "none"}, "ReLU": {"feature_activation": "relu"}},
    common={"loss": "softmax", **FAST},
    figures=(Drawn("features"), Drawn("ring")),
    checks=(
        greater("test_accuracy", "linear", than="ReLU"),
        greater("map-at-r", "linear", than="ReLU"),
        greater("outer-classes", "linear", than="ReLU"),
    ),
)
