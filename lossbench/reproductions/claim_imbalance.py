"""Claim: range loss, LDAM and logit adjustment help where classes are unequal."""

from __future__ import annotations

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: range, LDAM help the tail",
    source="Zhang et al., ICCV 2017 (range); Cao et al., NeurIPS 2019 (LDAM); Menon et al., ICLR 2021",
    locus="stated in the text",
    question="At an imbalance of 100, are they more accurate on the balanced test split than softmax?",
    published="They are made for long-tailed data, and better there than cross-entropy.",
    recipe="Exponential imbalance 100 in all groups, 16-D features. Small network, four epochs (`fast`).",
    runs={
        "softmax": {"loss": "softmax"},
        "range": {"loss": "range"},
        "LDAM": {"loss": "ldam"},
        "logit-adjusted": {"loss": "logit-adjusted"},
    },
    common={"imbalance": 100.0, "feature_dim": 16, **FAST},
    figures=(Drawn("leaderboard"), Drawn("confusion")),
    checks=tuple(
        greater("test_accuracy", loss, than="softmax") for loss in ("range", "LDAM", "logit-adjusted")
    ),
)
