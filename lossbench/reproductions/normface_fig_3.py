"""NormFace, Figure 3: with a bias, a class may lie at the origin."""

from ._checks import greater, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="NormFace, Fig. 3",
    source="Wang et al., ACM MM 2017, Fig. 3",
    locus="read in the figure",
    question="Do classes lie within the hull of the others only where there is a bias?",
    published="Two selected plots of MNIST features trained with a bias: one or two classes lie near "
    "the origin.",
    recipe="Not selected: the rules speak of the mean over all seeds. Within the hull is less than near "
    "the origin: the mean of a short ray between longer ones is there as well, without a bias, too. "
    f"{FAST_RECIPE}",
    runs={"no bias": {"bias": False}, "bias": {"bias": True}},
    common={"loss": "softmax", **FAST},
    figures=(Drawn("features"),),
    checks=(
        within("outer-classes", "no bias", 0.95),
        within("outer-classes", "bias", high=0.95),
        greater("outer-classes", "no bias", than="bias"),
    ),
)
