"""SphereFace in the plane: the angular margin makes classes narrower."""

from ._checks import trend
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="SphereFace, 2-D features",
    source="Liu et al., CVPR 2017, Fig. 2 (copied in lucasxlu/blog, loss_vis.jpg); accuracies from "
    "the README of YunYang1994/SphereFace",
    locus="read in the figure",
    question="Is the trend from softmax over modified softmax to A-Softmax one to narrower classes and a "
    "higher accuracy?",
    published="Two faces in the plane: angles alone do not tell them apart under softmax, they do under "
    "modified softmax, and A-Softmax widens the margin between the angles. A public port "
    "reports 97.75, 98.47 and 98.96 % for ten digits.",
    recipe="MNIST instead of faces; m = 4 with least λ 0.5, as in AM-Softmax's toy figure. A trend over "
    "three groups is the change from the first to the last: the step to modified softmax need not "
    f"show, and in the figure it has the wider classes. {FAST_RECIPE}",
    runs={
        "softmax": {"loss": "softmax"},
        "modified softmax": {"loss": "modified-softmax"},
        "A-Softmax": {"loss": "sphereface", "margin": 4.0, "lambda_min": 0.5},
    },
    common=FAST,
    figures=(Drawn("features"), Drawn("ring")),
    checks=(
        trend("angular-spread", ["softmax", "modified softmax", "A-Softmax"], rising=False),
        trend("test_accuracy", ["softmax", "modified softmax", "A-Softmax"], rising=True),
    ),
)
