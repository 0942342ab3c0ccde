"""Limits of the scale of a normalised softmax, the inverse of its temperature."""

from ._checks import greater, trend
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Softmax, limits of the temperature",
    source="Wang et al., ACM MM 2017 (NormFace), Prop. 2; Hinton et al., 2015, arXiv 1503.02531, Sec. 2",
    locus="stated in the text",
    question="Do small scales of a normalised softmax leave a high loss, and large ones broad classes?",
    published="At a small scale the loss stays above a bound; a higher temperature, which is a smaller "
    "scale, makes probabilities softer.",
    recipe="That large scales leave classes broad follows from the equation, not from these papers: the "
    f"gradient of a sample is gone as soon as its direction is nearest. {FAST_RECIPE}",
    runs={f"s = {scale}": {"scale": float(scale)} for scale in (1, 4, 16, 64)},
    common={"loss": "normface", **FAST},
    figures=(Drawn("ring"),),
    checks=(
        trend("smallest_loss", ("s = 1", "s = 4", "s = 16", "s = 64"), rising=False),
        trend("nll", ("s = 1", "s = 4", "s = 16"), rising=False),
        greater("angular-spread", "s = 64", than="s = 16"),
    ),
)
