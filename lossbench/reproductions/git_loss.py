"""Git loss: compact classes, farther apart than with center loss."""

from ._checks import axis_scale, greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="Git loss, 2-D features",
    source="Calefati et al., BMVC 2018, arXiv 1807.08512; picture in the authors' repository",
    locus="from the authors' code",
    question="Does the push of Git loss separate classes that center loss alone only draws together?",
    published="Ten elongated blobs within ±25 for λ_C 0.01 and λ_G 0.1; a port reports 99.02 % for both 1.",
    recipe="λ_C 0.01; λ_G 0 and 0.1, which is `push` 0 and 10 times λ_C. The axis may differ by a factor "
    f"of three. {FAST_RECIPE}",
    runs={"λ_G = 0": {"push": 0.0}, "λ_G = 0.1": {"push": 10.0}},
    common={"loss": "git", "lambda": 0.01, **FAST},
    figures=(Drawn("features"),),
    checks=(
        greater("spread-gap", "λ_G = 0", than="λ_G = 0.1"),
        greater("gap", "λ_G = 0.1", than="λ_G = 0"),
        axis_scale("λ_G = 0.1", 25, factor=3),
    ),
)
