"""Circle loss, Figures 1 and 3: a definite target instead of a line of them."""

from ._checks import greater, not_testable
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Circle loss, boundary",
    source="Sun et al., CVPR 2020, eq. 8",
    locus="stated in the text",
    question="Does circle loss end in narrower classes than the additive margin?",
    published="The boundary is an arc, with one point where both similarities are best; AM-Softmax accepts "
    "all of a line.",
    recipe="Class-level form, scale 24 and the margin that suits ten directions; the others have scale 16, "
    f"their default. How narrow the classes are stands for the definite target. {FAST_RECIPE}",
    runs={
        "normalised softmax": {"loss": "normface"},
        "AM-Softmax": {"loss": "cosface"},
        "circle": {"loss": "circle"},
    },
    common=FAST,
    figures=(Drawn("loss-surface"), Drawn("regions")),
    checks=(
        greater("angular-spread", "normalised softmax", than="circle"),
        greater("angular-spread", "AM-Softmax", than="circle"),
        not_testable("positive and negative similarities end on the arc", "no metric measures them"),
    ),
)
