"""COCO, Figure 3: 3-D features of softmax, center and COCO."""

from ._checks import greater
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="COCO, Fig. 3",
    source="Liu et al., 2017, arXiv 1710.00870v2, Fig. 3",
    locus="read in the figure",
    question="Are the directions of 3-D features narrower under COCO than under softmax and center?",
    published="MNIST in three dimensions: COCO's classes are small patches on the sphere.",
    recipe="3-D features, λ 0.01 of center (the released baseline gives softmax a weight of 1e-6 there, "
    "which is not followed). Small network, four epochs (`fast`).",
    runs={
        "softmax": {"loss": "softmax"},
        "center": {"loss": "center", "lambda": 0.01},
        "COCO": {"loss": "coco"},
    },
    common={"feature_dim": 3, **FAST},
    figures=(Drawn("sphere"),),
    checks=(
        greater("angular-spread", "softmax", than="COCO"),
        greater("angular-spread", "center", than="COCO"),
    ),
)
