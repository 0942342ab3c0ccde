"""Claim: squared loss is at least as accurate as cross-entropy, squentropy more than both."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: squared ≥ CE, squentropy ≥ both",
    source="Hui and Belkin, ICLR 2021, arXiv 2006.07322; Hui et al., 2023, arXiv 2302.03952",
    locus="stated in the text",
    question="Is the squared loss more accurate than cross-entropy, and squentropy more accurate than both?",
    published="Over many data sets, squared loss is as good or better, squentropy better than both.",
    recipe="64-D features: in the plane ten linear scores have rank 3. The first rule asks for more "
    "than the source, where equal is enough. Small network, four epochs (`fast`).",
    runs={name: {"loss": name} for name in ("softmax", "squared", "squentropy")},
    common={"feature_dim": 64, **FAST},
    figures=(Drawn("leaderboard"),),
    checks=(
        greater("test_accuracy", "squared", than="softmax"),
        greater("test_accuracy", "squentropy", than="softmax"),
        greater("test_accuracy", "squentropy", than="squared"),
    ),
)
