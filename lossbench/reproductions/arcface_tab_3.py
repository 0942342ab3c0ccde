"""ArcFace, Table 3: angles within and between classes."""

from ._checks import equal, greater, not_testable
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="ArcFace, Tab. 3",
    source="Deng et al., CVPR 2019, Tab. 3",
    locus="stated in the text",
    question="Does ArcFace make classes narrower than normalised softmax without moving them closer?",
    published="Mean angles of features to their class centre (Intra) and between the nearest centres "
    "(Inter).",
    recipe=f"Intra is angular spread; Inter is the smallest gap, not the mean of the nearest. {FAST_RECIPE}",
    runs={
        "normalised softmax": {"loss": "normface"},
        "ArcFace": {"loss": "arcface"},
        "triplet": {"loss": "triplet"},
    },
    common=FAST,
    figures=(Drawn("ring", groups=("normalised softmax", "ArcFace")),),
    checks=(
        greater("angular-spread", "normalised softmax", than="ArcFace"),
        equal("angular-gap", "ArcFace", "normalised softmax", margin=3),
        not_testable("W-EC and W-Inter, the angles of class weights", "no metric reads class weights"),
    ),
)
