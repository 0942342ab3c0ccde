"""Center loss, Figure 2: features under softmax are separable, and spread along rays."""

from ._checks import greater, within
from ._reproduction import Drawn, Reproduction

SPEC = Reproduction(
    title="Center loss, Fig. 2",
    source="Wen et al., ECCV 2016, Fig. 2",
    locus="read in the figure",
    question="Are 2-D features under softmax separable, yet less compact than with the center term?",
    published="Ten rays around the origin, separable, with large variation inside each class.",
    recipe="Solver of the released example (SGD, rate 0.01, momentum 0.9, steps of 128) and its λ 0.01. "
    "Its 23 epochs, on the compact network: LeNet++ takes hours on a CPU core. The rule on outer "
    "classes asks for rays of similar length: the mean of a short ray can lie between those of "
    "longer ones.",
    runs={"softmax": {"loss": "softmax"}, "center": {"loss": "center", "lambda": 0.01}},
    common={"recipe": "center-paper", "network": "compact"},
    seeds=8,
    fewer_seeds="Eight seeds, as one run takes several minutes on a CPU core; with fewer than seven the "
    "sign-flip test cannot reach the 5 % level after Holm.",
    figures=(Drawn("features", {"split": "train"}),),
    checks=(
        within("test_accuracy", "softmax", 0.97),
        within("outer-classes", "softmax", 0.95),
        greater("spread-gap", "softmax", than="center"),
    ),
)
