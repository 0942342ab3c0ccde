"""The usual tutorial on softmax: a same-class pair can be farther apart than two classes."""

from ._checks import greater, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Softmax tutorial, four panels",
    source="Wang et al., ACM MM 2017 (NormFace), Fig. 2 and Sec. 3.1; tutorials on face recognition",
    locus="stated in the text",
    question="Are some pairs of one class farther apart than pairs of two classes, are there fewer of them "
    "on the circle, and are all classes rays of similar length?",
    published="In the plane, two features of one class can be much farther apart than features of two "
    "classes; their angles seem to be a good measure. Tutorials show the same with a pair of "
    "each kind, directions as arcs and class weights as rays.",
    recipe="Features of NormFace are compared by angle, those of softmax by distance. An equal error rate "
    "of 2 % is our bound for 'some pairs'; a class is a ray of similar length where its mean lies "
    f"outside the hull of the other means. {FAST_RECIPE}",
    runs={"softmax": {"loss": "softmax"}, "NormFace": {"loss": "normface"}},
    common=FAST,
    figures=(
        Drawn("features", groups=("softmax",)),
        Drawn("distances"),
        Drawn("distances", {"view": "normalized"}),
        Drawn("ring", groups=("softmax",)),
        Drawn("roc"),
    ),
    checks=(
        within("eer", "softmax", 0.02),
        greater("eer", "softmax", than="NormFace"),
        within("outer-classes", "softmax", 0.95),
    ),
)
