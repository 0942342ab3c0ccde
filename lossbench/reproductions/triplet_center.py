"""Triplet-center loss: a margin between centers helps retrieval."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Triplet-center loss, retrieval",
    source="He et al., CVPR 2018, arXiv 1803.06189, abstract",
    locus="stated in the text",
    question="Is triplet-center loss better at retrieval than center loss, each beside softmax?",
    published="In the retrieval of 3-D objects center loss is more discriminative than softmax, and "
    "triplet-center loss still more.",
    recipe=f"Digits, margin 5, weights at their defaults. {FAST_RECIPE}",
    runs={
        "softmax": {"loss": "softmax"},
        "center": {"loss": "center"},
        "triplet-center": {"loss": "triplet-center"},
    },
    common=FAST,
    figures=(Drawn("features"),),
    checks=(
        greater("map-at-r", "triplet-center", than="center"),
        greater("map-at-r", "triplet-center", than="softmax"),
    ),
)
