"""SphereFace, Figure 5: on the sphere classes become narrower with the margin m."""

from ._checks import trend
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="SphereFace, Fig. 5 (3-D)",
    source="Liu et al., CVPR 2017, Fig. 5",
    locus="read in the figure",
    question="Do six classes on the sphere become narrower from m = 1 to m = 4?",
    published="Six faces on the sphere for m = 1 to 4. The largest angle within a class falls from 1.71 "
    "to 0.48 rad, the smallest between classes rises from 0.30 to 1.14.",
    recipe="Six digits instead of faces, 3-D features; least λ 0.5. Small network, four epochs (`fast`).",
    runs={f"m = {margin}": {"margin": float(margin)} for margin in (1, 2, 3, 4)},
    common={"loss": "sphereface", "lambda_min": 0.5, "feature_dim": 3, "unseen": "6-9", **FAST},
    figures=(Drawn("sphere"),),
    checks=(
        trend("angular-spread", ["m = 1", "m = 2", "m = 3", "m = 4"], rising=False),
        trend("eer", ["m = 1", "m = 2", "m = 3", "m = 4"], rising=False),
    ),
)
