"""Claim: losses that separate classes more transfer worse."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: more separation, worse transfer",
    source="Kornblith et al., NeurIPS 2021, arXiv 2010.16402",
    locus="stated in the text",
    question="Do losses that separate classes more serve worse for digits that were not trained on?",
    published="Label smoothing, cosine softmax and squared error raise R² and lower the accuracy of "
    "transfer.",
    recipe="Digits 5 to 9 instead of other data sets, nearest neighbours instead of a linear probe, 32-D "
    "features. Small network, four epochs (`fast`).",
    runs={
        "softmax": {"loss": "softmax"},
        "label smoothing": {"loss": "label-smoothing"},
        "cosine softmax": {"loss": "normface"},
        "squared": {"loss": "squared"},
    },
    common={"unseen": "5-9", "feature_dim": 32, **FAST},
    figures=(Drawn("leaderboard", {"metric": "class-separation,unseen-recall-at-1"}),),
    checks=tuple(
        check
        for loss in ("label smoothing", "cosine softmax", "squared")
        for check in (
            greater("class-separation", loss, than="softmax"),
            greater("unseen-recall-at-1", "softmax", than=loss),
        )
    ),
)
