"""Claim: trained long enough and wide enough, four losses tie."""

from ._checks import equal
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: CE, smoothing, focal, squared tie",
    source="Zhou et al., NeurIPS 2022, arXiv 2210.02192",
    locus="stated in the text",
    question="Are cross-entropy, label smoothing, focal and squared loss equally accurate with 64-D "
    "features?",
    published="All reach the same test accuracy, as the network is wide and trained long enough.",
    recipe="64-D features, 12 epochs: longer than elsewhere here, as the claim asks. Small network (`fast`).",
    runs={name: {"loss": name} for name in ("softmax", "label-smoothing", "focal", "squared")},
    common={"feature_dim": 64, **FAST, "epochs": 12},
    figures=(Drawn("leaderboard"),),
    checks=tuple(
        equal("test_accuracy", name, "softmax", margin=0.001)
        for name in ("label-smoothing", "focal", "squared")
    ),
)
