"""The parsers of the fuzzer under hypothesis each time, and 100,000 inputs each from atheris in the slow tier."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..helpers.command_server import ROOT
from . import fuzzing

RUNS = 100_000


def good(parser):
    with tempfile.TemporaryDirectory() as folder:
        fuzzing.seeds(parser, Path(folder))
        return [path.read_bytes() for path in sorted(Path(folder).iterdir())]


@st.composite
def altered(draw, parser):
    """A good input with pieces replaced, or any bytes."""
    content = draw(st.sampled_from(good(parser)))
    for _ in range(draw(st.integers(0, 3))):
        place, length = draw(st.integers(0, len(content))), draw(st.integers(0, 4))
        content = content[:place] + draw(st.binary(max_size=4)) + content[place + length :]
    return draw(st.one_of(st.just(content), st.binary(max_size=40)))


@pytest.mark.parametrize("parser", fuzzing.PARSERS)
def test_no_input_raises_anything_but_a_sentence(parser, count):
    made = 0

    @settings(max_examples=200, deadline=None, database=None)
    @given(altered(parser))
    def fuzz(content):
        nonlocal made
        made += 1
        fuzzing.PARSERS[parser](content)

    fuzz()
    count(f"inputs fuzzed by hypothesis: {parser}", made)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs the extra `fuzz` (atheris)")
@pytest.mark.parametrize("parser", fuzzing.PARSERS)
def test_100000_inputs(parser, tmp_path, count):
    command = [sys.executable, "-m", "tests.reliability.fuzzing", parser, f"-runs={RUNS}"]
    command += ["-max_len=4096", "-timeout=20", "-rss_limit_mb=4096", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    runs = int(re.search(r"Done (\d+) runs", done.stderr)[1])
    assert runs >= RUNS
    count(f"inputs fuzzed by atheris: {parser}", runs)


def test_the_fuzzer_would_notice(monkeypatch):
    monkeypatch.setattr(fuzzing, "UsageError", ZeroDivisionError)
    with pytest.raises(Exception, match="neither a seed"):
        fuzzing.ranges(b"x")
