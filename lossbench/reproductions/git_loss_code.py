"""Git loss, authors' code: accuracy and distances on MNIST."""

from ._checks import within
from ._reproduction import Drawn, Reproduction

SPEC = Reproduction(
    title="Git loss, authors' training",
    source="Calefati et al., BMVC 2018; kjanjua26/Git-Loss-For-Deep-Face-Recognition, and a port of it",
    locus="from the authors' code",
    question="Does the authors' training on MNIST come near the accuracy and the compactness of a port?",
    published="A port reports 99.02 % on test, a mean distance of 8.30 between and 0.21 within classes.",
    recipe="`--recipe git-paper`: λ_C = λ_G = 1, Adam at 0.001, 8,000 steps of 128; compact network, and "
    "the push of the paper, which the code takes per coordinate. Near means an accuracy within half "
    "a point of 99 %, and a distance within a factor of two; that between classes has no rule.",
    runs={"Git": {}},
    common={"loss": "git", "recipe": "git-paper"},
    seeds=5,
    fewer_seeds="Five seeds: one run takes a few minutes on a CPU core.",
    figures=(Drawn("features"),),
    checks=(
        within("test_accuracy", "Git", 0.985, 0.995),
        within("spread", "Git", 0.21 / 2, 0.21 * 2),
    ),
)
