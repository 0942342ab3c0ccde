"""CosFace, equation 7: beyond 1 - cos(2 pi/C) no features in the plane satisfy the margin."""

from ._checks import equal, greater, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="CosFace, bound of the margin",
    source="Wang et al., CVPR 2018, eq. 7",
    locus="stated in the text",
    question="Does training in the plane fail where the margin exceeds 1 - cos(2π/C) = 0.19?",
    published="The bound of the margin for C classes in the plane; on faces, training with m above 0.45 "
    "did not converge.",
    recipe=f"The rules test m = 0.5, far beyond the bound. {FAST_RECIPE}",
    runs={f"m = {margin}": {"margin": margin} for margin in (0.05, 0.1, 0.19, 0.35, 0.5)},
    common={"loss": "cosface", **FAST},
    figures=(Drawn("curves", {"over": "margin", "metric": "test_accuracy,angular-gap"}),),
    checks=(
        greater("test_accuracy", "m = 0.19", than="m = 0.5"),
        equal("test_accuracy", "m = 0.05", "m = 0.19", margin=0.005),
        within("trained", "m = 0.5", high=0.5),
    ),
)
