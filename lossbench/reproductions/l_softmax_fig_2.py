"""L-Softmax, Figure 2: rays become thinner and the accuracy rises with the factor m."""

from ._checks import axis_scale, trend, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="L-Softmax, Fig. 2",
    source="Liu et al., ICML 2016, Fig. 2 (also in the authors' repository)",
    locus="read in the figure",
    question="Do larger m make thinner rays of 2-D features, and raise the accuracy?",
    published="Test accuracy 98.45, 98.96, 99.22, 99.34 % for m = 1 to 4; axes from ±120 (m = 1) to ±200.",
    recipe="Annealing as in the released solver, stretched over this training. Each axis may differ by a "
    f"factor of three; that axes grow with m has no rule. {FAST_RECIPE}",
    runs={f"m = {factor}": {"margin": factor} for factor in (1, 2, 3, 4)},
    common={"loss": "l-softmax", **FAST},
    figures=(Drawn("lambda-grid", {"split": "test"}),),
    checks=(
        trend("test_accuracy", ["m = 1", "m = 2", "m = 3", "m = 4"], rising=True),
        trend("angular-spread", ["m = 1", "m = 2", "m = 3", "m = 4"], rising=False),
        within("test_accuracy", "m = 1", 0.9745, 0.9945),
        axis_scale("m = 1", 120, factor=3),
        axis_scale("m = 4", 200, factor=3),
    ),
)
