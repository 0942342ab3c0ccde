"""Nothing talks to a network at run time but the download of a data set that was asked for."""

from __future__ import annotations

import socket

import pytest

from lossbench.__main__ import main

QUICK = ["--dataset", "digits", "--epochs", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def refused(monkeypatch):
    """Every attempt to reach another machine, or to ask for its address, is noted and fails."""
    tried = []

    def refuse(*arguments, **_):
        tried.append(arguments)
        raise OSError("the network is closed")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return tried


def test_no_command_opens_a_connection(tmp_path, monkeypatch, refused):
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
    assert refused == []


def test_the_fixture_would_notice(tmp_path, refused):
    """A data set that is not there is fetched, and that is the one thing that tries."""
    assert main(["train", "--dataset", "mnist", "--data-dir", str(tmp_path), "--results", str(tmp_path)]) == 1
    assert refused
