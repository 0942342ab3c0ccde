"""Triplet loss: the margin is the scale of the features."""

from ._checks import equal, trend
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Triplet loss, effect of the margin",
    source="Schroff et al., CVPR 2015, eq. 3; Hermans et al., 2017, arXiv 1703.07737",
    locus="stated in the text",
    question="Does the margin set the distance between classes and hardly the accuracy?",
    published="A negative has to be farther than a positive by the margin.",
    recipe="Batch-all over active triplets, plain distances. That the margin sets the scale of "
    f"features that are not normalised is our reading. {FAST_RECIPE}",
    runs={f"m = {margin}": {"margin": margin} for margin in (0.2, 1.0, 5.0)},
    common={"loss": "triplet", **FAST},
    figures=(Drawn("lambda-grid"),),
    checks=(
        trend("gap", ("m = 0.2", "m = 1.0", "m = 5.0"), rising=True),
        equal("nn-accuracy", "m = 0.2", "m = 5.0", margin=0.01),
    ),
)
