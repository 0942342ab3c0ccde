"""Ring loss: features of one length."""

from ._checks import equal, trend
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Ring loss, 2-D features",
    source="Zheng et al., CVPR 2018, arXiv 1803.00130, abstract",
    locus="stated in the text",
    question="Does ring loss bring features nearer to one length, and cost less than half a point of "
    "accuracy?",
    published="The norms of features are gradually constrained to a scaled unit circle; they are more "
    "robust.",
    recipe="λ 0.01 and 0.1 (those of gluon-face). Half a point is our bound, and the rule does not ask "
    "whether there is a loss below it. A trend over three groups is the change from the first to "
    f"the last. {FAST_RECIPE}",
    runs={"softmax": {"loss": "softmax"}}
    | {f"λ = {weight}": {"loss": "ring", "lambda": weight} for weight in (0.01, 0.1)},
    common=FAST,
    figures=(Drawn("features"),),
    checks=(
        trend("length-variation", ["softmax", "λ = 0.01", "λ = 0.1"], rising=False),
        equal("test_accuracy", "λ = 0.1", "softmax", margin=0.005),
    ),
)
