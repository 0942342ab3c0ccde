"""Claim: center loss makes a network robust to attacked images."""

from ._checks import attack_is_stronger, greater, not_testable
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: center loss is robust",
    source="arXiv 1811.00621",
    locus="stated in the text",
    question="Are more images classified right under attack with center loss than with softmax?",
    published="Compact classes are said to leave room that an attack has to cross; such defences fell to "
    "stronger attacks (fra31/auto-attack: 32.3 to 0.3 %, 64.3 to 0.0 %).",
    recipe="2-D and 16-D features, λ 0.1; pixels change by at most 0.1, in 1,000 test images. No transfer "
    "and no query attack. Small network, four epochs (`fast`).",
    runs={
        "softmax, 2-D": {"loss": "softmax"},
        "center, 2-D": {"loss": "center", "lambda": 0.1},
        "softmax, 16-D": {"loss": "softmax", "feature_dim": 16},
        "center, 16-D": {"loss": "center", "lambda": 0.1, "feature_dim": 16},
    },
    common=FAST,
    figures=(Drawn("leaderboard", {"metric": "robust-accuracy-pgd,robust-accuracy-fgsm"}),),
    checks=(
        greater("robust-accuracy-pgd", "center, 2-D", than="softmax, 2-D"),
        greater("robust-accuracy-pgd", "center, 16-D", than="softmax, 16-D"),
        attack_is_stronger("robust-accuracy-pgd", "robust-accuracy-fgsm", "center, 2-D"),
        attack_is_stronger("robust-accuracy-pgd", "robust-accuracy-fgsm", "center, 16-D"),
        not_testable("the gain survives transferred and query attacks", "they are not implemented"),
    ),
)
