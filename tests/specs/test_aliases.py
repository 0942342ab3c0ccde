"""The other names of losses: taken wherever a loss is named, never stored or shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.errors import UsageError
from lossbench.runs.config_builder import config_at, make_config
from lossbench.runs.filter import has_loss
from lossbench.specs import catalog
from lossbench.specs.expressions import canonical_sum, parse_sum

ALIASES = {"am-softmax": "cosface", "a-softmax": "sphereface", "cross-entropy": "softmax", "ce": "softmax"}
QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "256", "--device", "cpu"]


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    return code, capsys.readouterr().out


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_is_the_loss_everywhere(alias: str, name: str) -> None:
    assert catalog.canonical(alias) == name
    assert catalog.spec("losses", alias) is catalog.spec("losses", name)
    assert catalog.load("losses", alias) is catalog.load("losses", name)
    assert not catalog.is_external(alias)
    assert make_config(loss=alias) == make_config(loss=name)
    assert has_loss(make_config(loss=name), alias)
    assert alias not in catalog.names("losses")


def test_aliases_are_no_names_and_no_two_losses_share_one() -> None:
    aliases = [alias for name in catalog.names("losses") for alias in catalog.spec("losses", name).aliases]
    assert set(ALIASES) <= set(aliases)
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & set(catalog.names("losses"))


def test_aliases_in_sums_and_settings() -> None:
    assert parse_sum("ce + 0.1*am-softmax") == [("softmax", None), ("cosface", 0.1)]
    assert canonical_sum(" ce +0.1 * am-softmax") == " softmax +0.1 * cosface"
    assert canonical_sum("circle + ghm") == "circle + ghm"
    aliased = config_at("ce + am-softmax", {"am-softmax.margin": 0.1})
    assert aliased == config_at("softmax + cosface", {"cosface.margin": 0.1})
    assert aliased.value_of("am-softmax.margin") == 0.1
    with pytest.raises(UsageError, match="softmax is repeated"):
        make_config(loss="ce + softmax")
    with pytest.raises(UsageError, match="did you mean am-softmax"):
        make_config(loss="am-sofmax")


def test_commands_store_and_show_the_canonical_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def document(*arguments: object) -> Any:
        code, out = call(capsys, *arguments, "--json")
        assert code == 0, arguments
        return json.loads(out)

    place = ["--results", tmp_path]
    trained = document("train", "--loss", "am-softmax", "--set", "am-softmax.margin=0.1", *QUICK, *place)
    assert trained["run"].startswith("cosface-")
    compared = document(
        "compare", "--losses", "cross-entropy,am-softmax", "--baseline", "ce", "--set", "am-softmax.margin=0.1",
        *QUICK, *place,
    )  # fmt: skip
    assert [row["loss"] for row in compared["settings"]] == ["softmax", "cosface"]
    swept = document("sweep", "--loss", "am-softmax", "--margin", "0.1,0.2", *QUICK, *place)
    assert {run["run"].rpartition("-")[0] for run in swept["runs"]} == {"cosface"}
    assert trained["run"] in {run["run"] for run in swept["runs"]}
    drawn = document("plot", "features", "--loss", "ce,am-softmax", "--margin", "0.1", *place)
    assert len(drawn["runs"]) == 2
    listed = document("runs", "--loss", "am-softmax", *place)
    assert {run["run"].rpartition("-")[0] for run in listed} == {"cosface"}
    assert document("losses", "a-softmax")[0]["name"] == "sphereface"
    assert document("explain", "a-softmax")["loss"] == "sphereface"
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")]
    texts = [path.read_text() for path in tmp_path.rglob("*.json")]
    typed = ["am-softmax", "cross-entropy"]
    assert not [name for name in names for alias in typed if alias in name]
    for text in texts:  # but in the command, which is as it was typed
        data = json.loads(text)
        data.pop("command", None)
        assert not any(alias in json.dumps(data) for alias in typed)
