"""AdaCos: a scale that needs no search."""

from ._checks import greater
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="AdaCos, scale without search",
    source="Zhang et al., CVPR 2019, arXiv 1905.00292, abstract",
    locus="stated in the text",
    question="Is AdaCos more accurate than each of four fixed scales?",
    published="Without hyper-parameters, it is more accurate on faces than other softmax losses.",
    recipe=FAST_RECIPE,
    runs={"AdaCos": {"loss": "adacos"}}
    | {f"s = {scale}": {"loss": "normface", "scale": float(scale)} for scale in (4, 8, 16, 32)},
    common=FAST,
    figures=(Drawn("leaderboard"),),
    checks=tuple(greater("test_accuracy", "AdaCos", than=f"s = {scale}") for scale in (4, 8, 16, 32)),
)
