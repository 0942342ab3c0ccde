"""Claim: what is more accurate on known classes is better at finding unknown ones."""

from ._checks import trend
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: open-set AUROC follows accuracy",
    source="Vaze et al., ICLR 2022, arXiv 2110.06207",
    locus="stated in the text",
    question="Does the AUROC of unseen digits rise together with the accuracy on seen ones?",
    published="Across losses, networks and data sets the two are highly correlated, with the largest logit.",
    recipe="Digits 7 to 9 unseen, 16-D features; accuracy is varied by the number of epochs, 1 to 8. Small "
    "network (`fast`).",
    runs={f"{n} epoch{'s' * (n > 1)}": {"epochs": n} for n in (1, 2, 4, 8)},
    common={"loss": "softmax", "unseen": "7-9", "feature_dim": 16, **FAST},
    figures=(Drawn("curves", {"over": "epochs", "metric": "test_accuracy,open-set-auroc-logit,oscr"}),),
    checks=tuple(
        trend(number, ("1 epoch", "2 epochs", "4 epochs", "8 epochs"), rising=True)
        for number in ("test_accuracy", "open-set-auroc-logit", "oscr")
    ),
)
