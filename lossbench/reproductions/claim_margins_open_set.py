"""Claim: margins help with classes that were never seen."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: margins help open sets",
    source="Liu et al., CVPR 2017, arXiv 1704.08063, abstract",
    locus="stated in the text",
    question="Are pairs of unseen digits told apart better with a margin than without?",
    published="Where test identities were not trained on, the largest distance within a class should be "
    "below the smallest between classes; an angular margin approximates that.",
    recipe="Digits 7 to 9 unseen, 16-D features. Small network, four epochs (`fast`).",
    runs={
        "softmax": {"loss": "softmax"},
        "NormFace": {"loss": "normface"},
        "CosFace": {"loss": "cosface"},
        "ArcFace": {"loss": "arcface"},
    },
    common={"unseen": "7-9", "feature_dim": 16, **FAST},
    figures=(Drawn("roc", {"split": "unseen"}),),
    checks=(
        greater("unseen-roc-auc", "CosFace", than="NormFace"),
        greater("unseen-roc-auc", "ArcFace", than="NormFace"),
        greater("unseen-roc-auc", "ArcFace", than="softmax"),
    ),
)
