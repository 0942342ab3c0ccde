"""The page of a reproduction: what its tables and pictures say."""

from __future__ import annotations

import math

import pytest

from lossbench.reports.document import WrittenFile
from lossbench.reports.reproduction_page import (
    Description,
    GroupRow,
    ReproductionDocument,
    checks_table,
    group_label,
    group_settings,
    groups_table,
    markdown,
)
from lossbench.reproductions import CheckResult, number_meaning
from lossbench.runs.config_builder import config_at
from lossbench.statistics import Interval

PAIRED = CheckResult("a above b", 0.0123, 0.01, 0.0146, 20, 0.002, "reproduced")
FORMULA = CheckResult("the target logit is cos θ", 1e-16, math.nan, math.nan, 0, math.nan, "reproduced")
ROW = GroupRow("linear", "Softmax", 20, 0, {"angular-spread": Interval(2.0239, 0.0841, 20)})
PICTURE = WrittenFile("reproductions/x-ring.png", "ring", "directions on the circle", seeds=(0,))


def document(**changes: object) -> ReproductionDocument:
    about = Description("x", "A figure", "A paper", "read in the figure", "Is it so?", "It is.", "Ours.", "")
    values = {
        "quick": False, "verdict": "reproduced", "checks": [PAIRED], "groups": [ROW], "conditions": "Digits.",
        "command": "lossbench reproduce x", "runs": ["softmax-0"], "files": [PICTURE],
    } | changes  # fmt: skip
    return ReproductionDocument(about=about, **values)  # type: ignore[arg-type]


def test_columns_of_dashes_alone_are_left_out():
    assert checks_table([PAIRED]).header == [
        "rule",
        "effect",
        "95 % interval",
        "seeds",
        "p (Holm)",
        "verdict",
    ]
    assert checks_table([FORMULA]).header == ["rule", "effect", "verdict"]
    assert checks_table([FORMULA, PAIRED]).rows[0][2:5] == ["–", "–", "–"]


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (0.986221, 0.000497, "0.98622 ± 0.00050"),
        (-25.7, 1.31, "−25.7 ± 1.3"),
        (120.4, 31.2, "120 ± 31"),
        (1.0, 0.0, "1"),
        (0.4, math.nan, "0.4"),
    ],
)
def test_a_mean_has_the_decimals_of_its_interval(mean, half_width, text):
    row = ROW._replace(numbers={"gap": Interval(mean, half_width, 20)})
    assert groups_table([row]).rows[0][-1] == text


def test_runs_that_failed_are_counted():
    assert groups_table([ROW._replace(done=18, failed=2)]).rows[0][:3] == ["linear", "Softmax", "18 of 20"]


def test_a_page_explains_its_numbers_and_pictures():
    page = markdown(document())
    assert (
        "- angular spread: mean angle of a feature to its class direction, averaged over classes (degrees)"
        in page
    )
    assert "![directions on the circle](x-ring.png)\n\n*Directions on the circle (seed 0).*" in page
    assert "*Refuted*: its contrary does." in page
    untrained = markdown(document(groups=[], checks=[FORMULA], files=[PICTURE._replace(seeds=())]))
    assert "*Directions on the circle.*" in untrained


def test_a_document_is_read_back():
    for made in (document(), document(checks=[FORMULA], groups=[])):
        data = made.to_dict()
        assert markdown(ReproductionDocument.from_dict(data)) == markdown(made)


def test_numbers_of_unseen_classes_say_so():
    assert number_meaning("unseen-map-at-r").endswith(", of unseen classes")
    assert (
        number_meaning("smallest_loss")
        == "the least mean training loss of an epoch after the soft start (nats)"
    )


def test_groups_are_told_apart_by_their_options():
    plain, relu = (config_at("softmax", {"feature_activation": name}) for name in ("none", "relu"))
    balanced = config_at("triplet", {})
    assert group_settings({"linear": [plain], "ReLU": [relu]}) == [
        "Softmax, feature activation none",
        "Softmax, feature activation relu",
    ]
    assert group_settings({"softmax": [plain], "triplet": [balanced]}) == ["Softmax", "Triplet, m = 1"]


def test_a_panel_names_its_group_where_loss_and_settings_do_not():
    margin = config_at("cosface", {"margin": 1.0, "scale": 16.0})
    assert group_label("m = 1.0", margin) == group_label("CosFace", margin) == ""
    assert group_label("AM m = 0.5", margin) == "AM m = 0.5"
    assert group_label("label-smoothing", config_at("label-smoothing", {})) == ""
    assert group_label("sub-centers", config_at("subcenter-arcface", {"subcenters": 3})) == ""
