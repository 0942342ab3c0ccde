"""Claim: a negative margin helps new classes."""

from ._checks import trend
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: negative margins help new classes",
    source="Liu et al., ECCV 2020, arXiv 2003.12060; bl0/negative-margin.few-shot, README",
    locus="from the authors' code",
    question="Does recognition of new digits fall with the margin, while that of known ones rises?",
    published="One-shot accuracy on new classes (mini-ImageNet): 51.9 % with the cosine and no margin, "
    "62.3 % with a negative margin; classes that were trained on are told apart less well.",
    recipe="Digits 5 to 9 new, 16-D features; nearest neighbours instead of the one-shot protocol. Small "
    "network, four epochs (`fast`).",
    runs={f"m = {margin}": {"margin": margin} for margin in (-0.2, 0.0, 0.2)},
    common={"loss": "cosface", "unseen": "5-9", "feature_dim": 16, **FAST},
    figures=(Drawn("curves", {"over": "margin", "metric": "test_accuracy,unseen-map-at-r"}),),
    checks=(
        trend("unseen-map-at-r", ("m = -0.2", "m = 0.0", "m = 0.2"), rising=False),
        trend("unseen-recall-at-1", ("m = -0.2", "m = 0.0", "m = 0.2"), rising=False),
        trend("map-at-r", ("m = -0.2", "m = 0.0", "m = 0.2"), rising=True),
    ),
)
