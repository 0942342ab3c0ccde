"""The usual tutorial on softmax: a same-class pair can be farther apart than two classes."""

from ._checks import greater, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Softmax tutorial, four panels",
    source="Tutorials on face recognition, after Wen et al., ECCV 2016, Fig. 2",
    locus="not verified in the source",
    question="Are some pairs of one class farther apart than pairs of two classes, less so on the circle?",
    published="Features; a pair of one class farther apart than a pair of two; directions as arcs; class "
    "weights as rays.",
    recipe=FAST_RECIPE,
    runs={"softmax": {"loss": "softmax"}, "NormFace": {"loss": "normface"}},
    common=FAST,
    figures=(
        Drawn("features", groups=("softmax",)),
        Drawn("distances"),
        Drawn("ring", groups=("softmax",)),
        Drawn("roc"),
    ),
    checks=(
        within("eer", "softmax", 0.02),
        greater("eer", "softmax", than="NormFace"),
        within("outer-classes", "softmax", 0.95),
    ),
)
