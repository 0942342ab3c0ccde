"""L2-softmax, equation 9: too small a length of features costs accuracy."""

from ._checks import equal, greater, trend
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="L2-softmax, bound of the length",
    source="Ranjan et al., 2017, arXiv 1703.09507, eq. 9",
    locus="stated in the text",
    question="Does a length below ln(p (C-2)/(1-p)) cost accuracy, and a length above it hardly matter?",
    published="The least length with which a sample can have the probability p: 4.3 for p 0.9 and C 10.",
    recipe="16-D features, as the bound assumes C < 2D. The middle length, 4, is just below the "
    "bound for p 0.9. Small network, four epochs (`fast`).",
    runs={f"α = {length}": {"scale": float(length)} for length in (1, 4, 16)},
    common={"loss": "l2-softmax", "feature_dim": 16, **FAST},
    figures=(Drawn("curves", {"over": "scale", "metric": "test_accuracy"}),),
    checks=(
        trend("test_accuracy", ("α = 1", "α = 4", "α = 16"), rising=True),
        greater("test_accuracy", "α = 16", than="α = 1"),
        equal("test_accuracy", "α = 4", "α = 16", margin=0.002),
    ),
)
