"""ArcFace, Figure 3: eight classes in the plane, softmax against ArcFace."""

from ._checks import even_directions, greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="ArcFace, Fig. 3",
    source="Deng et al., CVPR 2019, Fig. 3",
    locus="read in the figure",
    question="Are eight classes in the plane narrower beside their gap under ArcFace than under softmax, and "
    "its directions even?",
    published="Eight faces: softmax separates with touching classes, ArcFace leaves an evident gap.",
    recipe="Eight digits instead of faces; s and m that suit eight directions in the plane. Even means "
    "that the smallest gap is within a fifth of 45 degrees; the rule does not ask whether softmax's "
    f"is, too. {FAST_RECIPE}",
    runs={"softmax": {"loss": "softmax"}, "ArcFace": {"loss": "arcface"}},
    common={"unseen": "8,9", **FAST},
    figures=(Drawn("features", {"view": "normalized", "split": "train"}), Drawn("ring")),
    checks=(
        greater("angular-spread-gap", "softmax", than="ArcFace"),
        even_directions("ArcFace", classes=8),
    ),
)
