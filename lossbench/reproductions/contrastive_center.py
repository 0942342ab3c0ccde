"""Contrastive-center loss: compact and separated classes."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Contrastive-center loss, 2-D features",
    source="Qi and Su, ICIP 2017, arXiv 1707.07391",
    locus="not verified in the source",
    question="Does the denominator separate classes better than center loss does?",
    published="Features of MNIST in the plane, more compact and farther apart than with center loss.",
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
