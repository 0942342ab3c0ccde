"""L-GM, Figure 1: scale and arrangement of the features of five losses."""

from ._checks import axis_scale, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="L-GM, Fig. 1",
    source="Wan et al., CVPR 2018, Fig. 1 (also in the authors' repository)",
    locus="read in the figure",
    question="Do the features of five losses reach as far as in the five panels, and are as many classes in "
    "the middle?",
    published="Axes ±100 (softmax), ±10 (center), ±200 (L-Softmax), ±6 (α = 0: two classes inside a ring "
    "of eight) and ±10 (α = 1: three inside seven). The sixth panel shows images attacked by FGSM where the "
    "likelihood is low.",
    recipe="The figure does not name λ and m: center 0.01 (released example), m = 4, L-GM 0.1. Each axis "
    "may differ by a factor of three, and their order has no rule. In the middle is a class whose "
    f"mean lies within the hull of the other means. {FAST_RECIPE}",
    runs={
        "softmax": {"loss": "softmax"},
        "center": {"loss": "center", "lambda": 0.01},
        "l-softmax": {"loss": "l-softmax", "margin": 4},
        "α = 0": {"loss": "lgm", "alpha": 0.0},
        "α = 1": {"loss": "lgm", "alpha": 1.0},
    },
    common=FAST,
    figures=(Drawn("features", {"split": "train"}), Drawn("attacked", groups=("α = 1",))),
    checks=(
        axis_scale("softmax", 100, factor=3),
        axis_scale("center", 10, factor=3),
        axis_scale("l-softmax", 200, factor=3),
        axis_scale("α = 0", 6, factor=3),
        axis_scale("α = 1", 10, factor=3),
        within("outer-classes", "α = 0", 0.75, 0.85),
        within("outer-classes", "α = 1", 0.65, 0.75),
    ),
)
