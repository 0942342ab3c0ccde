"""Triplet loss: batch-hard against batch-all."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Triplet loss, batch-hard and batch-all",
    source="Hermans et al., 2017, arXiv 1703.07737",
    locus="not verified in the source",
    question="Is batch-hard better than batch-all, and the mean over active triplets better than over all?",
    published="On persons, batch-hard has the highest mAP, batch-all over active triplets the second.",
    recipe=f"Digits, margin 1, plain distances. {FAST_RECIPE}",
    runs={
        "hard": {"mining": "hard"},
        "all, active": {"mining": "all", "reduction": "nonzero"},
        "all": {"mining": "all", "reduction": "all"},
    },
    common={"loss": "triplet", **FAST},
    figures=(Drawn("features"),),
    checks=(
        greater("map-at-r", "hard", than="all, active"),
        greater("map-at-r", "all, active", than="all"),
    ),
)
