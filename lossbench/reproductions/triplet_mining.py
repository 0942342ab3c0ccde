"""Triplet loss: batch-hard against batch-all."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Triplet loss, batch-hard and batch-all",
    source="Hermans et al., 2017, arXiv 1703.07737, table of mining strategies (copied in "
    "joan-s/deep_metric_learning, figures/loss_comparison_market1501.png)",
    locus="stated in the text",
    question="Is batch-hard better than batch-all, and the mean over active triplets better than over all?",
    published="Persons (Market-1501), mAP at the best margin: batch-hard 65.8 %, batch-all over active "
    "triplets 64.4 %, over all triplets 62.1 %. At margin 1 the order of the first two is "
    "reversed: 63.8, 64.1 and 62.1 %.",
    recipe="Digits instead of persons. Margin 1, plain distances; the rules follow the best margins, "
    f"not the column of margin 1. {FAST_RECIPE}",
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
