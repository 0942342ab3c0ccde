"""Person re-identification: softmax, triplet and center loss together."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Softmax + triplet + center",
    source="Luo et al., CVPR Workshops 2019, arXiv 1903.07071",
    locus="not verified in the source",
    question="Is the sum of softmax, triplet and center loss better at retrieval than softmax?",
    published="On persons, adding the triplet and the center term (weight 0.0005) raises mAP.",
    recipe="Digits, unseen classes 7 to 9, 16-D features, the weight of the paper. Small network, four "
    "epochs (`fast`).",
    runs={
        "softmax": {"loss": "softmax"},
        "softmax + triplet": {"loss": "softmax + triplet"},
        "all three": {"loss": "softmax + triplet + 0.0005*center"},
    },
    common={"feature_dim": 16, "unseen": "7-9", "sampler": "balanced", **FAST},
    figures=(Drawn("leaderboard", {"metric": "map-at-r"}),),
    checks=(
        greater("map-at-r", "softmax + triplet", than="softmax"),
        greater("map-at-r", "all three", than="softmax + triplet"),
        greater("unseen-map-at-r", "all three", than="softmax"),
    ),
)
