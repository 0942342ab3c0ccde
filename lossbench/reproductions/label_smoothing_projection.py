"""Label smoothing: tight clusters, and better calibration."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Label smoothing, projection of features",
    source="Müller et al., NeurIPS 2019, arXiv 1906.02629, Fig. 1 and Tab. 3",
    locus="stated in the text",
    question="Does label smoothing make classes tighter, and probabilities better calibrated?",
    published="Three classes of CIFAR and ImageNet as tight clusters with label smoothing, broad ones "
    "without; a smaller calibration error (ECE).",
    recipe="The plane is the feature itself, not a projection of the layer before. Smoothing 0.1 as there. "
    f"{FAST_RECIPE}",
    runs={"hard labels": {"smoothing": 0.0}, "smoothed": {"smoothing": 0.1}},
    common={"loss": "label-smoothing", **FAST},
    figures=(Drawn("features", {"split": "train"}),),
    checks=(
        greater("spread-gap", "hard labels", than="smoothed"),
        greater("ece", "hard labels", than="smoothed"),
    ),
)
