"""ArcFace, Table 3: angles within and between classes."""

from ._checks import equal, greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="ArcFace, Tab. 3",
    source="Deng et al., CVPR 2019, Tab. 3",
    locus="stated in the text",
    question="Does ArcFace make classes narrower than normalised softmax, with centers as far apart?",
    published="Mean angles of features to their class center (Intra), between the nearest centers "
    "(Inter) and the nearest weights (W-Inter), and of weights to the center of their class "
    "(W-EC). The last is small under ArcFace, large under normalised softmax.",
    recipe="Of test features; a class center is the direction of its mean unit vector. As far apart means "
    "within 3 degrees, an easy rule in the plane, where ten directions are at most 36 degrees apart "
    f"under any loss. {FAST_RECIPE}",
    runs={
        "normalised softmax": {"loss": "normface"},
        "ArcFace": {"loss": "arcface"},
        "triplet": {"loss": "triplet"},
    },
    common=FAST,
    figures=(Drawn("ring", groups=("normalised softmax", "ArcFace")),),
    checks=(
        greater("angular-spread", "normalised softmax", than="ArcFace"),
        equal("nearest-angle", "ArcFace", "normalised softmax", margin=3),
        greater("weight-angle", "normalised softmax", than="ArcFace"),
        equal("weight-nearest-angle", "ArcFace", "normalised softmax", margin=3),
    ),
)
