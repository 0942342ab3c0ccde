"""Claim: triplet and SupCon keep variation inside classes, contrastive collapses it."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: pair losses and within-class variance",
    source="arXiv 2601.21450",
    locus="stated in the text",
    question="Is the share of variance within classes smaller under the contrastive loss?",
    published="Triplet and SupCon keep variance within classes; the contrastive loss collapses it.",
    recipe=f"Margins and temperature at their defaults. {FAST_RECIPE}",
    runs={name: {"loss": name} for name in ("triplet", "supcon", "contrastive")},
    common=FAST,
    figures=(Drawn("features"),),
    checks=(
        greater("within-variance", "triplet", than="contrastive"),
        greater("within-variance", "supcon", than="contrastive"),
    ),
)
