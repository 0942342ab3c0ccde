"""Hadsell et al.: digits 4 and 9 in the plane under the contrastive loss."""

from ._checks import within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Contrastive loss, digits 4 and 9",
    source="Hadsell et al., CVPR 2006",
    locus="not verified in the source",
    question="Do 4 and 9 lie apart in the plane, by about the margin?",
    published="Two clusters of test digits in the plane.",
    recipe="In the paper each digit is paired with its five nearest neighbours in pixels; here with its "
    f"class. Margin 1, all pairs of balanced batches. {FAST_RECIPE}",
    runs={"contrastive": {"loss": "contrastive", "margin": 1.0}},
    common={"unseen": "0-3,5-8", **FAST},
    figures=(Drawn("features", {"split": "train"}),),
    checks=(
        within("nn-accuracy", "contrastive", 0.97),
        within("gap", "contrastive", 0.5, 2),
    ),
)
