"""ArcFace, Figure 4a: the angle of features to their class falls in training."""

from ._checks import trend, within
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="ArcFace, Fig. 4a",
    source="Deng et al., CVPR 2019, Fig. 4a",
    locus="read in the figure",
    question="Does the angle between features and their class fall as training goes on?",
    published="Histograms of the angle to the own class weight at start, middle and end: from 90 to 30 "
    "degrees.",
    recipe="16-D features; 1 to 8 epochs under one schedule each instead of moments of one training, and "
    "the angle to the class mean. Ten digits ask for less than thousands of faces, so 30 degrees is "
    "an easy bound, and where the angle begins has no rule. Small network (`fast`).",
    runs={f"{n} epoch{'s' * (n > 1)}": {"epochs": n} for n in (1, 2, 4, 8)},
    common={"loss": "arcface", "feature_dim": 16, **FAST},
    figures=(Drawn("curves", {"over": "epochs", "metric": "angular-spread,angular-gap"}),),
    checks=(
        trend("angular-spread", ("1 epoch", "2 epochs", "4 epochs", "8 epochs"), rising=False),
        within("angular-spread", "8 epochs", high=30),
    ),
)
