"""SphereFace in the plane: the angular margin makes classes narrower."""

from ._checks import trend
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="SphereFace, 2-D features",
    source="Liu et al., CVPR 2017; accuracies of YunYang1994/SphereFace on MNIST",
    locus="not verified in the source",
    question="Do classes become narrower from softmax over modified softmax to A-Softmax?",
    published="Two classes of faces in the plane, narrower from loss to loss; with ten digits 97.75, 98.47 "
    "and 98.96 % (a public port).",
    recipe=f"MNIST instead of faces; m = 4 with least λ 0.5, as in AM-Softmax's toy figure. {FAST_RECIPE}",
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
