"""ArcFace, Figure 5: the margins of four losses between two classes."""

from ._checks import greater, not_testable
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="ArcFace, Fig. 5",
    source="Deng et al., CVPR 2019, Fig. 5",
    locus="read in the figure",
    question="Do margins keep the two classes farther from the boundary than normalised softmax does?",
    published="Binary boundaries over two angles: no margin, a margin that grows with the angle "
    "(SphereFace), a curved one (CosFace) and a constant one (ArcFace).",
    recipe="Digits 4 and 9; margins that two directions in the plane allow, CosFace 0.35 and ArcFace "
    f"0.5. How narrow the classes are stands for their distance from the boundary. {FAST_RECIPE}",
    runs={
        "normalised softmax": {"loss": "normface"},
        "SphereFace": {"loss": "sphereface"},
        "CosFace": {"loss": "cosface", "margin": 0.35},
        "ArcFace": {"loss": "arcface", "margin": 0.5},
    },
    common={"unseen": "0-3,5-8", **FAST},
    figures=(Drawn("regions", {"split": "train"}),),
    checks=(
        greater("angular-spread", "normalised softmax", than="CosFace"),
        greater("angular-spread", "normalised softmax", than="ArcFace"),
        not_testable("the widths of the drawn margins are those of the figure", "no metric measures them"),
    ),
)
