"""NormFace, Figure 2: under softmax the direction of a feature tells its class."""

from ._checks import greater, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="NormFace, Fig. 2",
    source="Wang et al., ACM MM 2017, Fig. 2",
    locus="read in the figure",
    question="Are 2-D features under softmax rays of similar length, and does direction alone tell the "
    "class?",
    published="Left, 10,000 features of MNIST along rays, whose angles seem to be a good measure; "
    "right, the probability of class 0 over the plane, larger for longer features (Prop. 1).",
    recipe="No bias. A class is outer where its mean lies outside the hull of the other means, so a short "
    f"ray between longer ones is not. The comparison of lengths with NormFace is ours. {FAST_RECIPE}",
    runs={"softmax": {"loss": "softmax"}, "NormFace": {"loss": "normface"}},
    common=FAST,
    figures=(Drawn("regions", groups=("softmax",)),),
    checks=(
        within("outer-classes", "softmax", 0.95),
        within("nn-accuracy-cosine", "softmax", 0.97),
        greater("length-variation", "softmax", than="NormFace"),
    ),
)
