"""Claim: the length of a feature tells the quality of its image."""

from ._checks import greater, within
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: feature length is quality",
    source="Meng et al., CVPR 2021, arXiv 2103.06627 (MagFace); Kim et al., CVPR 2022 (AdaFace)",
    locus="stated in the text",
    question="Are features shorter the more their image is corrupted, and more so under MagFace than under "
    "softmax?",
    published="The length under MagFace is a measure of face quality; AdaFace takes the length as its proxy.",
    recipe="Blur, noise and occlusion of digits at five strengths; 16-D features, the defaults that suit "
    "them. The first two rules ask for a negative correlation alone, without a comparison. Small "
    "network, four epochs (`fast`).",
    runs={
        "softmax": {"loss": "softmax"},
        "MagFace": {"loss": "magface"},
        "AdaFace": {"loss": "adaface"},
    },
    common={"feature_dim": 16, **FAST},
    figures=(Drawn("leaderboard", {"metric": "length-corruption"}),),
    checks=(
        within("length-corruption", "MagFace", high=0),
        within("length-corruption", "AdaFace", high=0),
        greater("length-corruption", "softmax", than="MagFace"),
    ),
)
