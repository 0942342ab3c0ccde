"""Claim: triplet and SupCon keep variation inside classes, contrastive collapses it."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: pair losses and within-class variance",
    source="Zeng et al., ICASSP 2026, arXiv 2601.21450, abstract",
    locus="stated in the text",
    question="Is the share of variance within classes smaller under the contrastive loss?",
    published="In image retrieval, triplet and SCL keep more variance within classes; contrastive makes "
    "embeddings compact quickly and may oversimplify classes.",
    recipe="SCL is taken to be SupCon. Margins and temperature at their defaults. The variance is that of "
    "features as they are: SupCon trains directions alone and leaves lengths free, which adds "
    f"to it. {FAST_RECIPE}",
    runs={name: {"loss": name} for name in ("triplet", "supcon", "contrastive")},
    common=FAST,
    figures=(Drawn("features"),),
    checks=(
        greater("within-variance", "triplet", than="contrastive"),
        greater("within-variance", "supcon", than="contrastive"),
    ),
)
