"""Claim: ArcFace makes features more discriminative."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: ArcFace is more discriminative",
    source="Deng et al., CVPR 2019, arXiv 1801.07698, abstract",
    locus="stated in the text",
    question="Are same-class digits nearer neighbours under ArcFace than under softmax, and more classified "
    "right?",
    published="The angular margin makes features highly discriminative.",
    recipe="2-D and 16-D features, the defaults that suit them. MAP@R compares features of ArcFace by "
    "angle and those of softmax by distance, so a difference may be that of the two measures. Small "
    "network, four epochs (`fast`).",
    runs={
        "softmax, 2-D": {"loss": "softmax"},
        "ArcFace, 2-D": {"loss": "arcface"},
        "softmax, 16-D": {"loss": "softmax", "feature_dim": 16},
        "ArcFace, 16-D": {"loss": "arcface", "feature_dim": 16},
    },
    common=FAST,
    figures=(Drawn("roc"),),
    checks=(
        greater("map-at-r", "ArcFace, 2-D", than="softmax, 2-D"),
        greater("map-at-r", "ArcFace, 16-D", than="softmax, 16-D"),
        greater("test_accuracy", "ArcFace, 2-D", than="softmax, 2-D"),
        greater("test_accuracy", "ArcFace, 16-D", than="softmax, 16-D"),
    ),
)
