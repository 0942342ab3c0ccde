"""NormFace, Figure 5 and Proposition 2: the loss has a lower bound that falls with the scale."""

import math

from ._checks import never_below, trend, within
from ._reproduction import FAST, Drawn, Reproduction

SPEC = Reproduction(
    title="NormFace, Fig. 5 (Prop. 2)",
    source="Wang et al., ACM MM 2017, Prop. 2 and Fig. 5",
    locus="stated in the text",
    question="Is the loss never below ln(1 + (C-1) exp(-s C/(C-1))), and near it where there is room?",
    published="The bound, which needs C directions as far apart as in a simplex: C-1 dimensions.",
    recipe="16-D features, in which the simplex of ten classes has room; no slow start of the scale. Small "
    "network, four epochs (`fast`).",
    runs={f"s = {scale}": {"scale": float(scale)} for scale in (1, 4, 7)},
    common={"loss": "normface", "soft_start": 0.0, "feature_dim": 16, **FAST},
    figures=(Drawn("training"),),
    checks=(
        never_below("smallest_loss", "s = 1", math.log1p(9 * math.exp(-10 / 9))),
        never_below("smallest_loss", "s = 4", math.log1p(9 * math.exp(-40 / 9))),
        never_below("smallest_loss", "s = 7", math.log1p(9 * math.exp(-70 / 9))),
        within("smallest_loss", "s = 1", 1.377, 1.05 * 1.377),
        trend("smallest_loss", ["s = 1", "s = 4", "s = 7"], rising=False),
    ),
)
