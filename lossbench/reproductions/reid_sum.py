"""Person re-identification: softmax, triplet and center loss together."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Softmax + triplet + center",
    source="Luo et al., CVPR Workshops 2019, arXiv 1903.07071; michuanhaohao/reid-strong-baseline, README",
    locus="from the authors' code",
    question="Is the sum of softmax, triplet and center loss better at retrieval than softmax?",
    published="On persons, the center term beside softmax and triplet raises mAP from 85.7 to 85.9 % "
    "(Market-1501) and from 75.9 to 76.4 % (DukeMTMC-reID); its weight is 0.0005.",
    recipe="Digits, unseen classes 7 to 9, 16-D features, the same weight. Small network, four "
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
