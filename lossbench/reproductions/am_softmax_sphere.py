"""AM-Softmax, feature figure: classes on the sphere become narrower with the margin."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="AM-Softmax, 3-D features",
    source="Wang et al., IEEE SPL 2018, feature figure (happynear/AMSoftmax, assets/FeatureVis.png)",
    locus="read in the figure",
    question="Are the classes of Fashion-MNIST on the sphere narrower with an additive margin?",
    published="Softmax, NormFace s = 10, SphereFace m = 4 (λ 0.5), AM-Softmax s = 10 with m = 0.2 and 0.5: "
    "narrower from panel to panel.",
    recipe="3-D features of Fashion-MNIST (the repository hints at it), scales and margins of the figure. "
    "Small network, four epochs (`fast`).",
    runs={
        "softmax": {"loss": "softmax"},
        "NormFace": {"loss": "normface", "scale": 10.0},
        "SphereFace": {"loss": "sphereface", "margin": 4.0, "lambda_min": 0.5},
        "AM m = 0.2": {"loss": "cosface", "scale": 10.0, "margin": 0.2},
        "AM m = 0.5": {"loss": "cosface", "scale": 10.0, "margin": 0.5},
    },
    common={"dataset": "fashion-mnist", "feature_dim": 3, **FAST},
    figures=(Drawn("sphere"),),
    checks=(
        greater("angular-spread", "NormFace", than="AM m = 0.2"),
        greater("angular-spread", "AM m = 0.2", than="AM m = 0.5"),
        greater("angular-spread", "softmax", than="SphereFace"),
    ),
)
