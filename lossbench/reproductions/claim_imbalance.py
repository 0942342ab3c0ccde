"""Claim: range loss, LDAM and logit adjustment help where classes are unequal."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: range, LDAM help the tail",
    source="Zhang et al., ICCV 2017 (range); Cao et al., NeurIPS 2019 (LDAM); Menon et al., ICLR 2021",
    locus="stated in the text",
    question="Are range loss, LDAM and logit adjustment more accurate on the balanced test split than "
    "softmax, where training classes differ in size by 10 and by 100?",
    published="They are made for long-tailed data, and better there than cross-entropy.",
    recipe="Sizes of classes fall exponentially, by 10 and 100 in all; 16-D features. Small network, "
    "four epochs (`fast`).",
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
