"""Claim: range loss, LDAM and logit adjustment help where classes are unequal."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: range, LDAM help the tail",
    source="Zhang et al., ICCV 2017 (range); Cao et al., NeurIPS 2019 (LDAM); Menon et al., ICLR 2021",
    locus="stated in the text",
    question="At an imbalance of 10 and 100, are they more accurate on the balanced test split than softmax?",
    published="They are made for long-tailed data, and better there than cross-entropy.",
    recipe="Exponential imbalance 10 and 100, 16-D features. Small network, four epochs (`fast`).",
    runs={
        f"{loss}, {ratio}": {"loss": loss, "imbalance": float(ratio)}
        for ratio in (10, 100)
        for loss in ("softmax", "range", "ldam", "logit-adjusted")
    },
    common={"feature_dim": 16, **FAST},
    figures=(Drawn("leaderboard"),),
    checks=tuple(
        greater("test_accuracy", f"{loss}, {ratio}", than=f"softmax, {ratio}")
        for ratio in (10, 100)
        for loss in ("range", "ldam", "logit-adjusted")
    ),
)
