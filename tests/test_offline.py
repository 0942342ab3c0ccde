"""The only network connection at run time is the download of a data set that was asked for."""

from __future__ import annotations

import json
import socket

import pytest

from lossbench.__main__ import main

QUICK = ["--dataset", "digits", "--epochs", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def attempts(monkeypatch):
    """Every attempt to reach another machine, or to resolve its name, is recorded and fails."""
    recorded = []

    def refuse(*arguments, **_):
        recorded.append(arguments)
        raise OSError("no network in this test")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return recorded


def test_no_command_opens_a_connection(tmp_path, monkeypatch, attempts):
    monkeypatch.chdir(tmp_path)
    for command in (
        ["compare", "--losses", "softmax,center", "--seeds", "0-1", "--snapshots", "3", *QUICK],
        ["train", "--loss", "triplet", *QUICK],
        ["plot"],
        ["plot", "roc"],
        ["animate"],
        ["explore"],
        ["report"],
        ["runs"],
        ["losses"],
        ["explain", "arcface"],
    ):
        assert main(command) == 0, command
    assert attempts == []


def test_reproductions_without_their_data_are_left_out_of_all(tmp_path, capsys):
    """What follows from the losses alone needs none, and has its page."""
    command = ["reproduce", "all", "--data-dir", str(tmp_path), "--results", str(tmp_path), "--json"]
    assert main(command) == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert [each["name"] for each in document["reproductions"]] == ["arcface-fig-4b"]
    assert document["reproductions"][0]["verdict"] == "reproduced"
    assert document["status"] == "failed"
    assert "center-fig-3 is left out: MNIST" in captured.err
    assert (tmp_path / "reproductions" / "arcface-fig-4b.md").exists()


def test_a_missing_data_set_is_the_one_thing_that_is_downloaded(tmp_path, attempts):
    """Also shows that the fixture records attempts."""
    assert main(["train", "--dataset", "mnist", "--data-dir", str(tmp_path), "--results", str(tmp_path)]) == 1
    assert attempts
