"""Hadsell et al.: digits 4 and 9 in the plane under the contrastive loss."""

from ._checks import within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Contrastive loss, digits 4 and 9",
    source="Hadsell et al., CVPR 2006 (text on the training set; the figure could not be seen)",
    locus="not verified in the source",
    question="Do 4 and 9 lie apart in the plane, by about the margin?",
    published="A network learns to map 4s and 9s to the plane: 3,000 images of each, every one paired "
    "as similar with its five nearest neighbours. About 1,000 other images of each are shown.",
    recipe="Each digit is paired with all others of its class instead of five neighbours in pixels. Margin "
    "1, all pairs of balanced batches. That the classes end about the margin apart, within a factor "
    f"of two, is our question. {FAST_RECIPE}",
    runs={"contrastive": {"loss": "contrastive", "margin": 1.0}},
    common={"unseen": "0-3,5-8", **FAST},
    figures=(Drawn("features", {"split": "train"}),),
    checks=(
        within("nn-accuracy", "contrastive", 0.97),
        within("gap", "contrastive", 0.5, 2),
    ),
)
