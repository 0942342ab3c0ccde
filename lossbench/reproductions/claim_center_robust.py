"""Claim: center loss makes a network robust to attacked images."""

from ._checks import attack_is_stronger, greater, within
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: center loss is robust",
    source="Agarwal et al., 2018, arXiv 1811.00621, abstract; fra31/auto-attack, README",
    locus="stated in the text",
    question="Are more images classified right under attack with center loss than with softmax?",
    published="Center loss beside softmax makes networks more robust to attacked images of MNIST and "
    "CIFAR. Other defences by compact classes fell to stronger attacks (fra31/auto-attack: "
    "32.3 to 0.3 %, 64.3 to 0.0 %).",
    recipe="2-D and 16-D features, λ 0.1; pixels change by at most 0.1, in 1,000 test images. "
    "Transferred changes are made for the softmax network of another seed. The gradient of center loss is "
    "not masked if PGD finds more than FGSM, transfer and queries do, and nearly all within 0.5. Small "
    "network, four epochs (`fast`).",
    runs={
        "softmax, 2-D": {"loss": "softmax"},
        "center, 2-D": {"loss": "center", "lambda": 0.1},
        "softmax, 16-D": {"loss": "softmax", "feature_dim": 16},
        "center, 16-D": {"loss": "center", "lambda": 0.1, "feature_dim": 16},
    },
    common=FAST,
    figures=(Drawn("leaderboard", {"metric": "robust-accuracy-pgd,robust-accuracy-square"}),),
    checks=(
        *(
            greater(f"robust-accuracy-{attack}", f"center, {dim}", than=f"softmax, {dim}")
            for attack in ("pgd", "apgd-dlr", "transfer", "square")
            for dim in ("2-D", "16-D")
        ),
        *(
            attack_is_stronger("robust-accuracy-pgd", f"robust-accuracy-{weaker}", f"center, {dim}")
            for weaker in ("fgsm", "transfer", "square")
            for dim in ("2-D", "16-D")
        ),
        *(within("robust-accuracy-pgd-5e-1", f"center, {dim}", high=0.01) for dim in ("2-D", "16-D")),
    ),
)
