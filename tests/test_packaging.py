"""The sdist and the wheel build, and the wheel works in a new environment and from another folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest

from lossbench import __version__

ROOT = Path(__file__).parent.parent
SOURCES = (
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
)


def run(*command: str | Path, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The sdist, and the wheel that is built from it, of a copy of the sources: no old build can leak in."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        shutil.copy(ROOT / name, copy / name)
    for folder in ("lossbench", "docs"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--no-isolation", cwd=copy)
    return copy / "dist"


@pytest.fixture(scope="module")
def scripts(distributions, tmp_path_factory):
    """The scripts of a new environment that has the wheel, and the dependencies of this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    # a path in a .pth file makes packages importable; the .pth files found there, such as that of an
    # editable lossbench, are not followed
    own = dict.fromkeys(sysconfig.get_paths()[key] for key in ("purelib", "platlib"))
    (Path(paths["purelib"]) / "dependencies.pth").write_text("\n".join(own))
    (wheel,) = distributions.glob("*.whl")
    python = Path(paths["scripts"]) / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    run(*pip, "--no-deps", "--no-index", "--no-compile", "--ignore-installed", wheel, cwd=folder)
    return Path(paths["scripts"])


def test_twine_accepts_both_distributions(distributions):
    files = sorted(distributions.iterdir())
    assert [file.name for file in files] == [
        f"lossbench-{__version__}-py3-none-any.whl",
        f"lossbench-{__version__}.tar.gz",
    ]
    run(sys.executable, "-m", "twine", "check", "--strict", *files, cwd=distributions)


def test_the_sdist_has_the_pages_that_the_readme_names(distributions):
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages | {"README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE"} <= names


def test_the_wheel_works_from_another_folder(scripts, tmp_path):
    python, lossbench = scripts / "python", scripts / "lossbench"
    found = run(python, "-c", "import lossbench; print(lossbench.__file__)", cwd=tmp_path)
    assert Path(found.strip()).is_relative_to(scripts.parent.resolve())
    assert "compare" in run(lossbench, "--help", cwd=tmp_path)
    assert "arcface" in run(lossbench, "losses", cwd=tmp_path)
    run(lossbench, "compare", "--dataset", "digits", "--epochs", "1", "--device", "cpu", cwd=tmp_path)
    run(lossbench, "report", cwd=tmp_path)
    run(lossbench, "explore", cwd=tmp_path)
    assert "<html" in (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    (explorer,) = (tmp_path / "results" / "figures").glob("explore-*.html")
    assert "<script" in explorer.read_text(encoding="utf-8")


def test_the_version_is_the_same_everywhere():
    said = {
        "pyproject.toml": rf'^version = "{re.escape(__version__)}"$',
        "CITATION.cff": rf"^version: {re.escape(__version__)}$",
        "CHANGELOG.md": rf"^## \[?{re.escape(__version__)}\]?",
    }
    for name, pattern in said.items():
        assert re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE), name


def test_the_citation_names_what_the_format_requires():
    yaml = pytest.importorskip("yaml", reason="Ray brings it")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert all("name" in author for author in citation["authors"])
