"""Claim: the likelihood of L-GM tells attacked images."""

from ._checks import attack_is_stronger, greater, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: L-GM detects attacked images",
    source="Wan et al., CVPR 2018, arXiv 1803.02988, Fig. 1",
    locus="read in the figure",
    question="Does the distance to the class means tell images attacked by FGSM under L-GM, and better than "
    "under softmax and center loss?",
    published="Attacked images lie where the likelihood is low.",
    recipe="Distance to the nearest class mean, which is L-GM's likelihood with unit covariance; pixels "
    "change by 0.1. An AUC of at least 0.9 is our bound; 0.5 is chance. Center 0.01. The gradient "
    "of L-GM is not masked if PGD finds more than FGSM and queries do, and nearly all within 0.5. "
    f"{FAST_RECIPE}",
    runs={
        "softmax": {"loss": "softmax"},
        "center": {"loss": "center", "lambda": 0.01},
        "L-GM": {"loss": "lgm"},
    },
    common=FAST,
    figures=(Drawn("leaderboard", {"metric": "fgsm-detection,robust-accuracy-fgsm"}),),
    checks=(
        within("fgsm-detection", "L-GM", 0.9),
        greater("fgsm-detection", "L-GM", than="softmax"),
        greater("fgsm-detection", "L-GM", than="center"),
        attack_is_stronger("robust-accuracy-pgd", "robust-accuracy-fgsm", "L-GM"),
        attack_is_stronger("robust-accuracy-pgd", "robust-accuracy-square", "L-GM"),
        within("robust-accuracy-pgd-5e-1", "L-GM", high=0.01),
    ),
)
