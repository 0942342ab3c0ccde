"""Contrastive-center loss: compact and separated classes."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Contrastive-center loss, 2-D features",
    source="Qi and Su, ICIP 2017, arXiv 1707.07391, abstract",
    locus="stated in the text",
    question="Does the denominator separate classes better than center loss does?",
    published="The ratio of the distances to the own center and to the others makes classes compact and "
    "separate at once.",
    recipe=f"λ 1 and δ 1; center with λ 0.01. {FAST_RECIPE}",
    runs={
        "softmax": {"loss": "softmax"},
        "center": {"loss": "center", "lambda": 0.01},
        "contrastive-center": {"loss": "contrastive-center"},
    },
    common=FAST,
    figures=(Drawn("features"),),
    checks=(
        greater("spread-gap", "softmax", than="contrastive-center"),
        greater("spread-gap", "center", than="contrastive-center"),
        greater("map-at-r", "contrastive-center", than="softmax"),
    ),
)
