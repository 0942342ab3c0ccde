"""Limits of the scale of a normalised softmax, the inverse of its temperature."""

from ._checks import greater, trend
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Softmax, limits of the temperature",
    source="Wang et al., ACM MM 2017 (NormFace); Hinton et al., 2015, arXiv 1503.02531",
    locus="not verified in the source",
    question="Do small scales of a normalised softmax leave a high loss, and large ones broad classes?",
    published="At a small scale the probabilities stay near uniform; at a large one a sample is right, and "
    "its gradient gone, as soon as its direction is nearest.",
    recipe=FAST_RECIPE,
    runs={f"s = {scale}": {"scale": float(scale)} for scale in (1, 4, 16, 64)},
    common={"loss": "normface", **FAST},
    figures=(Drawn("ring"),),
    checks=(
        trend("smallest_loss", ("s = 1", "s = 4", "s = 16", "s = 64"), rising=False),
        trend("nll", ("s = 1", "s = 4", "s = 16"), rising=False),
        greater("angular-spread", "s = 64", than="s = 16"),
    ),
)
