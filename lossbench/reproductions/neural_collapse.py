"""Neural collapse: its measures fall while training goes on."""

from ._checks import trend
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="Neural collapse on MNIST",
    source="Papyan, Han and Donoho, PNAS 2020, arXiv 2008.08186, abstract",
    locus="stated in the text",
    question="Do longer trainings end with less variation within classes, more equal norms and angles "
    "nearer those of a simplex?",
    published="Once no training error is left, variation within classes falls to 0 (NC1), and the class "
    "means to the vertices of a simplex of equal norms and angles (NC2), on seven data sets.",
    recipe="16-D features, in which a simplex of ten has room; 2 to 16 epochs under one schedule "
    "each, test features. Training errors may be left. Small network (`fast`).",
    runs={f"{epochs} epochs": {"epochs": epochs} for epochs in (2, 4, 8, 16)},
    common={"loss": "softmax", "feature_dim": 16, **FAST},
    figures=(Drawn("curves", {"over": "epochs", "metric": "nc1,nc2-norms,nc2-angles"}),),
    checks=tuple(
        trend(number, ("2 epochs", "4 epochs", "8 epochs", "16 epochs"), rising=False)
        for number in ("nc1", "nc2-norms", "nc2-angles")
    ),
)
