"""Claim: sub-centers and generalized cross-entropy resist wrong labels."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Claim: two losses resist label noise",
    source="Deng et al., ECCV 2020 (sub-centers); Zhang and Sabuncu, NeurIPS 2018 (generalized CE)",
    locus="stated in the text",
    question="With 40 % wrong training labels, are sub-centers more accurate than ArcFace, and "
    "generalized cross-entropy than softmax?",
    published="Sub-centers take up noisy samples; generalized cross-entropy limits what one sample can do.",
    recipe="40 % symmetric label noise, 16-D features, q 0.7 and K 3 of the papers. Small network, 12 "
    "epochs, so that there is time to fit the noise.",
    runs={
        "softmax": {"loss": "softmax"},
        "generalized CE": {"loss": "generalized-ce"},
        "ArcFace": {"loss": "arcface"},
        "sub-centers": {"loss": "subcenter-arcface", "subcenters": 3},
    },
    common={"label_noise": 0.4, "feature_dim": 16, **FAST, "epochs": 12},
    figures=(Drawn("leaderboard"),),
    checks=(
        greater("test_accuracy", "generalized CE", than="softmax"),
        greater("test_accuracy", "sub-centers", than="ArcFace"),
        greater("train_accuracy", "softmax", than="generalized CE"),
    ),
)
