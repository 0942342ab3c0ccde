"""Losses from outside: a user's class, an installed package's, and pytorch-metric-learning's."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import linecache
import shlex
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from lossbench.__main__ import main
from lossbench.errors import UsageError
from lossbench.losses import documentation, explain
from lossbench.runs.config_builder import config_at, make_config
from lossbench.runs.filter import RunFilter
from lossbench.runs.model import build
from lossbench.runs.store import Store
from lossbench.runs.stored_config import config_from_dict
from lossbench.runs.suggested_commands import command_for, command_of
from lossbench.specs import catalog, plugins

from ..helpers.own_code import forget
from ..helpers.runs import run, small

MINE = """
    from torch import nn

    class Pull(nn.Module):
        \"\"\"Pulls features to the origin.\"\"\"

        def __init__(self, num_classes, feature_dim, *, strength=0.5):
            super().__init__()
            self.strength = strength

        def forward(self, features, labels):
            return self.strength * features.square().sum(1).mean()
"""
NETWORK = """
    class Net(nn.Sequential):
        def __init__(self, input_shape, feature_dim):
            super().__init__(nn.Flatten(), nn.LazyLinear(feature_dim))
"""
EXTRA = """
        def get_extra_state(self):
            return {"steps": 1}
"""
QUICK = ["--dataset", "digits", "--epochs", "1", "--device", "cpu"]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module `my_losses` in the working directory."""
    (tmp_path / "my_losses.py").write_text(textwrap.dedent(MINE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    forget("my_losses")


def test_a_class_of_the_users_trains_beside_softmax(mine, capsys):
    code = main(["train", "--loss", "softmax + 0.01*my_losses:Pull", "--set", "strength=2", *QUICK, "--json"])
    assert code == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["terms"]) == {"softmax", "my_losses:Pull"}
    assert "pull" in document["run"]


def test_the_console_script_finds_the_working_directory(mine):
    command = [sys.executable, "-P", "-m", "lossbench"] if sys.version_info >= (3, 11) else None
    if command is None:
        pytest.skip("python -P needs 3.11")
    arguments = ["train", "--loss", "softmax + my_losses:Pull", *QUICK, "--json"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SHADOWED = (
    "random",
    "json",
    "statistics",
    "queue",
    "logging",
    "socket",
    "copy",
    "numbers",
    "profile",
    "typer",
)


@pytest.mark.parametrize("start", ["script", pytest.param("-m", marks=pytest.mark.slow)])
def test_modules_of_the_working_directory_never_replace_those_of_libraries(mine, tmp_path, start):
    """Also in worker processes, whose interpreters search the working directory first by themselves."""
    for name in SHADOWED:
        (mine / f"{name}.py").write_text("raise RuntimeError('imported instead of the library')")
    folder = tmp_path / "bin"  # as the console script: its own folder is searched, not the working directory
    folder.mkdir()
    script = "from lossbench.__main__ import main\nif __name__ == '__main__':\n    raise SystemExit(main())"
    (folder / "lossbench-script").write_text(script)
    begin = [sys.executable, *(["-m", "lossbench"] if start == "-m" else [str(folder / "lossbench-script")])]
    options = ["--losses", "softmax,my_losses:Pull", "--seeds", "1", "--jobs", "2"]
    done = subprocess.run([*begin, "compare", *options, *QUICK], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "instead of the library" not in done.stdout + done.stderr


@pytest.mark.parametrize("start", [["-m", "lossbench"], ["-mlossbench"]], ids=" ".join)
def test_python_with_m_searches_the_working_directory_last(mine, start):
    for name in SHADOWED:
        (mine / f"{name}.py").write_text("raise RuntimeError('imported instead of the library')")
    done = subprocess.run([sys.executable, *start, "losses", "softmax"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("Softmax: "), done.stderr


def test_an_own_module_that_is_named_like_one_of_python_is_told_to_be_renamed(mine):
    (mine / "json.py").write_text(textwrap.dedent(MINE))
    with pytest.raises(UsageError, match=r"json\.py.*rename"):
        make_config(loss="json:Pull", dataset="digits")


def test_opening_stored_runs_never_runs_the_users_code(mine, capsys):
    assert main(["train", "--loss", "softmax + 0.1*my_losses:Pull", *QUICK]) == 0
    (mine / "my_losses.py").write_text("raise SystemExit('the code of a stored run was executed')")
    forget("my_losses")
    capsys.readouterr()
    assert main(["runs"]) == 0
    assert "pull" in capsys.readouterr().out
    named = ["--run", "softmax+my"]
    for command in (["plot"], ["plot", "roc"], ["plot", "training"], ["explore"], ["report"], ["animate"]):
        shown = [] if command == ["report"] else named
        failed = command in (["report"], ["animate"])  # there is no table, there are no snapshots
        assert main([*command, *shown]) == failed
    assert "was executed" not in capsys.readouterr().err


def test_the_command_of_a_run_of_own_code_runs_none_and_trains_the_same_run(mine, monkeypatch):
    text = (mine / "my_losses.py").read_text() + textwrap.dedent(NETWORK)
    (mine / "my_losses.py").write_text(text)
    own = ("my_losses:Pull", "softmax + 0.1*my_losses:Pull", "center + 0.3*my_losses:Pull")
    configs = [
        make_config(loss=loss, settings=settings, network=network, sampler=sampler, dataset="digits")
        for loss in own
        for settings in ({}, {"strength": 2})
        for network, sampler in (("mlp", "auto"), ("my_losses:Net", "balanced"))
    ]
    (mine / "my_losses.py").write_text("raise SystemExit('the code of a stored run was executed')")
    forget("my_losses")
    commands = [shlex.split(command_of(Store(mine).run(config))) for config in configs]
    for config in configs:
        command_for(["softmax"], RunFilter(), config)
    (mine / "my_losses.py").write_text(text)
    found = []

    def seen(loss, point):
        found.append(config_at(loss, point))
        raise UsageError("seen")

    monkeypatch.setattr("lossbench.cli.train.config_at", seen)
    for _, *words in commands:
        assert main(words) == 2
    assert found == configs


@pytest.mark.parametrize("name", ["pml:TripletMarginLoss", "json:dumps"])
def test_no_code_from_outside_is_looked_for_to_read_a_stored_run(name):
    plugins.find.cache_clear()
    with plugins.without_external_code(), pytest.raises(UsageError, match="is code from outside"):
        plugins.find(name)


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        ("no_such_module:Loss", "no module no_such_module in the working folder or where Python finds"),
        ("json:Nothing", "cannot be imported"),
        ("json:dumps", "is not a torch.nn.Module class"),
        ("torch.nn:L1Loss", "must take the number of classes as num_classes"),
        ("pml:VICRegLoss", "cannot be used: it takes two views"),
        ("pml:HistogramLoss", "cannot be used: its histogram"),
        ("pml:NoSuchLoss", "Unknown loss of pytorch-metric-learning"),
        ("pml:TripletMarginLos", "did you mean TripletMarginLoss"),
    ],
)
def test_what_is_no_loss_is_refused_in_one_sentence(loss, sentence):
    with pytest.raises(UsageError, match=sentence):
        make_config(loss=loss, dataset="digits")


MISTAKES = """
    import dataclasses
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    class Base(nn.Module):
        def __init__(self, num_classes, feature_dim):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(num_classes, feature_dim))

        def forward(self, features, labels):
            return cross_entropy(features @ self.weight.T, labels)

    class Pair(Base):
        def forward(self, features, labels):
            return super().forward(features, labels), features @ self.weight.T

    class Swapped(Base):
        def forward(self, features, labels):
            return features @ self.weight.T, super().forward(features, labels)

    class Scores(Base):
        def forward(self, features, labels):
            return features @ self.weight.T

    class Samples(Base):
        def forward(self, features, labels):
            return cross_entropy(features @ self.weight.T, labels, reduction="none")

    class Number(Base):
        def forward(self, features, labels):
            return super().forward(features, labels).item()

    class Forgotten(Base):
        def forward(self, features, labels):
            super().forward(features, labels)

    class Dictionary(Base):
        def forward(self, features, labels):
            return {"loss": super().forward(features, labels)}

    class Detached(Base):
        def forward(self, features, labels):
            return super().forward(features, labels).detach()

    class Broken(Base):
        def forward(self, features, labels):
            return features @ self.weight

    class Unbuilt(Base):
        def __init__(self, num_classes, feature_dim):
            self.weight = nn.Parameter(torch.ones(num_classes, feature_dim))

    class Leaves(Base):
        def forward(self, features, labels):
            raise SystemExit("first line\\nsecond line")

    class Ends(Base):
        def forward(self, features, labels):
            raise GeneratorExit

    class Own(BaseException):
        pass

    class Escapes(Base):
        def forward(self, features, labels):
            raise Own("first line\\nsecond line")

    class EscapesLater(Base):
        def logits(self, features):
            raise Own("in logits")

    class EscapesEarly(Base):
        def __init__(self, num_classes, feature_dim):
            raise Own("in the constructor")

    class NotANumber(Base):
        def __init__(self, num_classes, feature_dim, floor=float("nan")):
            super().__init__(num_classes, feature_dim)

    class Endless(Base):
        def __init__(self, num_classes, feature_dim, cap=float("inf")):
            super().__init__(num_classes, feature_dim)

    class Huge(Base):
        def __init__(self, num_classes, feature_dim, cap=10**400):
            super().__init__(num_classes, feature_dim)

    class Apart(Base):
        def forward(self, features, labels):
            return super().forward(features.detach(), labels)

    class Weights(Base):
        def forward(self, features, labels):
            return self.weight.square().mean()

    class Complex(Base):
        def forward(self, features, labels):
            return features.sum() * 1j

    class NoScores(Base):
        def forward(self, features, labels):
            return features.square().mean()

        def logits(self, features):
            return None

    class FewScores(NoScores):
        def logits(self, features):
            return features

    class NoModule:
        def __init__(self, num_classes, feature_dim):
            pass

        def forward(self, features, labels):
            return features.sum()

    class InPlace(Base):
        def forward(self, features, labels):
            labels.copy_(labels.flip(0))
            return super().forward(features.mul_(100), labels)

        def logits(self, features):
            return features.mul_(100) @ self.weight.T

    class Shared(Base):
        def __init__(self, num_classes, feature_dim):
            super().__init__(num_classes, feature_dim)
            self.same = self.weight

        def forward(self, features, labels):
            return nn.functional.cross_entropy(features @ self.weight.T, labels)

    @dataclasses.dataclass
    class Data(nn.Module):
        num_classes: int
        feature_dim: int

        def __post_init__(self):
            super().__init__()

    class Lazy(Base):
        def __init__(self, num_classes, feature_dim):
            super().__init__(num_classes, feature_dim)
            self.layer = nn.LazyLinear(num_classes)

    class Extra(Base):
        def get_extra_state(self):
            return {"steps": 1}

    class Sparse(Base):
        def __init__(self, num_classes, feature_dim):
            super().__init__(num_classes, feature_dim)
            self.register_buffer("pairs", torch.eye(3).to_sparse())

    class Grows(Base):
        def __init__(self, num_classes, feature_dim):
            super().__init__(num_classes, feature_dim)
            self.register_buffer("bank", torch.zeros(0, feature_dim))

        def forward(self, features, labels):
            if self.training:
                self.bank = torch.cat([self.bank, features.detach()[:1]])
            return super().forward(features, labels)

    class Few(Base):
        def logits(self, features):
            if len(features) > 10_000:
                raise Own("too many")
            return features @ self.weight.T

    class Single(Base):
        def forward(self, features, labels):
            return super().forward(features, labels) if features.sum().item() else features.sum()

        def logits(self, features):
            return features @ self.weight.T

    class Needs(Base):
        def __init__(self, num_classes, feature_dim, margin):
            super().__init__(num_classes, feature_dim)

    class Twice(Base):
        def __init__(self, num_classes, n_classes, feature_dim):
            super().__init__(num_classes, feature_dim)

    class Layer(Base):
        def __init__(self, in_features, out_features, s=30.0):
            super().__init__(out_features, in_features)
            self.s = s

    class Embedding(Base):
        def __init__(self, margin=0.2, *, embedding_size=512, n_classes=10, **others):
            super().__init__(n_classes, embedding_size)
            self.margin = margin

    class OnlySize(Base):
        def __init__(self, feat_dim):
            super().__init__(10, feat_dim)
"""


@pytest.fixture
def mistakes(mine):
    (mine / "my_mistakes.py").write_text(textwrap.dedent(MISTAKES))
    yield mine
    sys.modules.pop("my_mistakes", None)


FOUND_AT_EVERY_STAGE = (
    "Swapped",
    "Detached",
    "Leaves",
    "EscapesLater",
    "EscapesEarly",
    "Huge",
    "NoScores",
    "Needs",
)
"""Mistakes in the loss, in the constructor, in its defaults, in logits, and code that ends the program."""


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        ("Swapped", "forward of the loss my_mistakes:Swapped returns a tensor of shape (128, 10); it must"),
        ("Scores", "returns a tensor of shape (128, 10); it must return the mean over the batch"),
        ("Samples", "returns a tensor of shape (128,); it must return the mean over the batch"),
        ("Number", "returns a value of the type float"),
        ("Forgotten", "returns a value of the type NoneType"),
        ("Dictionary", "returns a value of the type dict"),
        ("Detached", "returns a number without a gradient"),
        ("Broken", "RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
        ("Unbuilt", "AttributeError: cannot assign parameters before Module.__init__() call"),
        ("Leaves", "SystemExit: first line (see "),
        ("Ends", "GeneratorExit (see "),
        ("Escapes", "Own: first line (see "),
        ("EscapesLater", "Own: in logits (see "),
        ("EscapesEarly", "cannot be constructed: Own: in the constructor."),
        (
            "NotANumber",
            "The default of the argument 'floor' of the constructor of my_mistakes:NotANumber is nan",
        ),
        ("Endless", "The default of the argument 'cap' of the constructor of my_mistakes:Endless is inf"),
        ("Huge", "The default of the argument 'cap' of the constructor of my_mistakes:Huge is 1000000"),
        ("Complex", "returns a number of type complex64"),
        ("NoScores", "logits of my_mistakes:NoScores returns NoneType for "),
        ("FewScores", "2) for "),
        ("NoModule", "cannot be constructed: TypeError: NoModule is not a torch.nn.Module"),
        ("Needs", "The argument 'margin' of the constructor of my_mistakes:Needs has no default value."),
        ("Twice", "must take the number of classes as num_classes"),
    ],
)
def test_mistakes_in_own_losses_are_one_sentence(mistakes, capsys, loss, sentence):
    """In `train`; and in `tune` and `compare`, which goes on with the other losses where training finds the
    mistake."""
    named = f"my_mistakes:{loss}"
    assert main(["train", "--loss", named, *QUICK]) in (1, 2)
    message = capsys.readouterr().err
    assert sentence in message.replace("\n", " ") and "Traceback" not in message
    if loss not in FOUND_AT_EVERY_STAGE:
        return
    assert main(["compare", "--losses", f"softmax,{named}", "--seeds", "1", *QUICK]) in (1, 2)
    output = "".join(capsys.readouterr())
    assert sentence in output.replace("\n", " ") and "Traceback" not in output
    main(["runs"])
    assert "its training never began" not in capsys.readouterr().err
    assert main(["tune", "--loss", named, "--trials", "1", "--seeds", "5", *QUICK]) in (1, 2)
    message = capsys.readouterr().err
    assert sentence in message.replace("\n", " ") and "Traceback" not in message


@pytest.mark.parametrize("loss", ["Data", "Lazy", "Extra", "Sparse"])
def test_what_could_not_be_stored_is_refused_before_it_is_trained(mistakes, capsys, loss):
    assert main(["train", "--loss", f"my_mistakes:{loss}", *QUICK]) == 2
    assert f"The loss my_mistakes:{loss} cannot be trained and stored: " in capsys.readouterr().err
    assert not (mistakes / "results").exists()


def test_a_network_that_could_not_be_stored_is_refused_before_it_is_trained(mistakes):
    (mistakes / "my_losses.py").write_text(f"from torch import nn\n{textwrap.dedent(NETWORK + EXTRA)}")
    config = make_config(loss="softmax", network="my_losses:Net", dataset="digits")
    with pytest.raises(UsageError, match="^The network my_losses:Net cannot be trained and stored: "):
        build(config)


@pytest.mark.filterwarnings("default")
def test_an_own_loss_that_cannot_be_drawn_is_one_sentence(mistakes, capsys):
    """`regions` leaves out what it cannot compute, and says so."""
    drawn = {
        ("Single", "regions"): (
            0,
            "warning: Single: The loss cannot be computed for each point: RuntimeError:",
        ),
        ("Single", "loss-surface"): (1, "Single: The loss cannot be computed for each point: RuntimeError: "),
        ("Few", "regions"): (1, "Few: The class scores cannot be computed: Own: too many."),
        ("Grows", "regions"): (1, "does not fit what the code of my_mistakes:Grows builds: "),
    }
    for loss in dict.fromkeys(loss for loss, _ in drawn):
        assert main(["train", "--loss", f"my_mistakes:{loss}", *QUICK]) == 0
    for (loss, figure), (code, sentence) in drawn.items():
        capsys.readouterr()
        assert main(["plot", figure, "--loss", f"my_mistakes:{loss}"]) == code, (loss, figure)
        message = " ".join(capsys.readouterr().err.split())
        assert sentence in message and "Traceback" not in message, (loss, figure)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        ("Apart", "{}"),
        ("Weights", "softmax + 0.1*{}"),
        pytest.param("Weights", "{}", marks=pytest.mark.slow),
        pytest.param("Apart", "softmax + 0.1*{}", marks=pytest.mark.slow),
    ],
)
def test_a_loss_that_the_network_does_not_learn_from_is_warned_of(mistakes, capsys, loss, formula):
    warning = f"warning: The network learns nothing from the loss my_mistakes:{loss}"
    own = formula.format(f"my_mistakes:{loss}")
    compare = ["compare", "--losses", f"ring,{own}", "--seeds"]
    jobs = "2" if formula == "{}" else "1"
    for words in (["train", "--loss", own], [*compare, "4-5", "--jobs", jobs]):
        assert main([*words, *QUICK]) == 0
        assert capsys.readouterr().err.count(warning) == 1


def test_losses_that_the_network_learns_from_are_not_warned_of(mistakes, capsys):
    for loss in ("my_mistakes:Shared", "0*my_mistakes:Apart + softmax", "triplet + center"):
        assert main(["train", "--loss", loss, *QUICK]) == 0
    assert "warning" not in capsys.readouterr().err


def test_a_module_that_escapes_when_it_is_imported(mistakes, capsys):
    (mistakes / "my_end.py").write_text("raise GeneratorExit")
    assert main(["train", "--loss", "my_end:Loss", *QUICK]) == 2
    assert "The loss my_end:Loss cannot be imported: GeneratorExit" in capsys.readouterr().err


@pytest.mark.parametrize("loss", ["Pair", "Layer", "Embedding", "OnlySize", "Shared"])
def test_what_losses_of_other_people_look_like(mistakes, tmp_path, loss):
    assert run(small(f"my_mistakes:{loss}"), tmp_path).status == "done"


def test_a_loss_that_changes_what_it_is_given_changes_nothing_else(mistakes, tmp_path):
    """Neither the other terms of a sum nor the stored features and labels."""
    config, alone = small("0*my_mistakes:InPlace + softmax"), small("softmax")
    for each in (config, alone):
        run(each, tmp_path)
    stored = [np.load(Store(tmp_path).run(each).path / "features.npz") for each in (config, alone)]
    for name in ("test_features", "test_labels", "train_labels"):
        assert np.array_equal(*(arrays[name] for arrays in stored)), name


def test_settings_of_a_constructor_with_other_names(mistakes):
    make, spec = plugins.find("my_mistakes:Layer")
    assert dict(spec.resolve(7, 3, s=5)) == {"s": 5.0}
    assert (make(7, 3, s=5.0).weight.shape, make(7, 3, s=5.0).s) == ((7, 3), 5.0)
    make, spec = plugins.find("my_mistakes:Embedding")
    assert list(spec.settings) == ["margin"]
    assert make(7, 3, margin=1.0).weight.shape == (7, 3)


def test_all_losses_and_an_own_one(mine, monkeypatch, capsys):
    names = catalog.names
    monkeypatch.setattr(
        catalog, "names", lambda kind: ("ring", "softmax") if kind == "losses" else names(kind)
    )
    assert main(["compare", "--losses", "all,my_losses:Pull", "--seeds", "1", *QUICK, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [line["loss"] for line in document["settings"]] == ["ring", "softmax", "my_losses:Pull"]


def edit(folder, before, after):
    """Change the user's module, as between two commands."""
    file = folder / "my_losses.py"
    file.write_text(file.read_text().replace(before, after))
    forget("my_losses")


def test_a_run_is_not_shown_or_used_with_other_code_than_it_was_trained_with(mine, capsys):
    loss = "softmax + 0.01*my_losses:Pull"
    commands = {
        "train": ["train", "--loss", loss, *QUICK],
        "compare": ["compare", "--losses", f"softmax,{loss}", "--seeds", "0", *QUICK],
        "regions": ["plot", "regions", "--run", "softmax+my"],
        "loss-surface": ["plot", "loss-surface", "--run", "softmax+my"],
    }
    for command in commands.values():
        assert main(command) == 0
    edit(mine, "import nn", "import nn  # a comment outside of the class")
    for command in commands.values():
        assert main(command) == 0
    edit(mine, "self.strength * features", "-self.strength * features")
    capsys.readouterr()
    for name, command in commands.items():
        assert main(command) == 1, name
        output = "".join(capsys.readouterr()).replace("\n", " ")
        assert "my_losses:Pull has changed since softmax+my" in output and "--force" in output, name
    assert main(["runs"]) == 0
    assert main([*commands["train"], "--force"]) == 0
    for command in commands.values():
        assert main(command) == 0


MODULES = {
    "my_shared.py": """
import math
LIMIT = 3.0
OTHER = 1
def shorten(x):
    return x.clamp(max=LIMIT) * math.pi
def unused(x):
    return x
""",
    "my_numbers.py": "FACTOR = 2.0\n",
    "my_using.py": """
import torch
import my_numbers as numbers
from my_shared import shorten as cut, unused
from torch import nn
POWER = 2
NOT_USED = 3
def powered(x):
    return x ** POWER
def not_used(x):
    return x
class Using(nn.Module):
    def __init__(self, num_classes, feature_dim):
        super().__init__()
    def forward(self, features, labels):
        return cut(powered(features)).mean() * numbers.FACTOR
""",
}


@pytest.mark.parametrize(
    ("file", "before", "after", "changes"),
    [
        ("my_using.py", "x ** POWER", "x ** POWER + 1", True),  # a function that the class calls
        ("my_using.py", "POWER = 2", "POWER = 4", True),  # a variable that this function reads
        ("my_shared.py", "x.clamp(", "x.abs().clamp(", True),  # a function of another module
        ("my_shared.py", "LIMIT = 3.0", "LIMIT = 2.0", True),
        ("my_numbers.py", "FACTOR = 2.0", "FACTOR = 3.0", True),  # a module that is imported whole
        ("my_using.py", "NOT_USED = 3", "NOT_USED = 4", False),
        ("my_using.py", "    return x\n", "    return -x\n", False),
        ("my_shared.py", "OTHER = 1", "OTHER = 2", False),
        ("my_shared.py", "    return x\n", "    return -x\n", False),
        ("my_using.py", "import torch\n", "import torch  # a comment\n", False),
    ],
)
def test_the_digest_covers_what_the_class_uses(mine, file, before, after, changes):
    for name, text in MODULES.items():
        (mine / name).write_text(text)
    digests = []
    for text in (MODULES[file], MODULES[file].replace(before, after)):
        (mine / file).write_text(text)
        for name in MODULES:
            sys.modules.pop(name.removesuffix(".py"), None)
        plugins.find.cache_clear()
        linecache.clearcache()
        importlib.invalidate_caches()
        digests.append(plugins.digest("my_using:Using"))
    assert before in MODULES[file]
    assert (digests[0] != digests[1]) == changes


def test_the_digest_of_a_class_that_uses_nothing_else_is_that_of_its_source(mine):
    """So runs that were stored before other source counted are not called changed."""
    loss = importlib.import_module("my_losses").Pull
    assert (
        plugins.digest("my_losses:Pull") == hashlib.sha256(inspect.getsource(loss).encode()).hexdigest()[:16]
    )


def test_the_digest_covers_the_users_own_parents(mine):
    (mine / "my_parents.py").write_text("from my_losses import Pull\nclass Child(Pull):\n    pass\n")
    before = plugins.digest("my_parents:Child"), plugins.digest("pml:CosFaceLoss")
    sys.modules.pop("my_parents")
    edit(mine, "strength=0.5", "strength=0.6")
    assert plugins.digest("my_parents:Child") != before[0]
    assert plugins.digest("pml:CosFaceLoss") == before[1] == ""
    sys.modules.pop("my_parents")


def test_an_installed_package_can_offer_losses(mine, monkeypatch):
    from importlib.metadata import EntryPoint

    point = EntryPoint("pull", "my_losses:Pull", "lossbench.losses")
    offered = {"losses": {"pull": point, "softmax": point, "am-softmax": point}, "networks": {"lenet": point}}
    monkeypatch.setattr(plugins, "offered_of", offered.get)
    assert catalog.is_external("pull")
    assert not any(map(catalog.is_external, ("softmax", "am-softmax"))), "names of ours, which stay ours"
    assert not catalog.is_external("lenet", "networks")
    config = make_config(loss="softmax + 0.5*pull", settings={"strength": 3}, dataset="digits", epochs=1)
    assert dict(config.terms[1].settings) == {"strength": 3.0}
    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        ("pml:MultiSimilarityLoss", {}),
        ("pml:TripletMarginLoss", {"miner": "BatchHardMiner", "margin": 0.2}),
        # its ArcFace has no gradient where a cosine rounds to 1, which depends on torch's version
        ("pml:CosFaceLoss", {"margin": 0.2, "scale": 16}),
        ("pml:ContrastiveLoss", {}),
    ],
)
def test_losses_of_pytorch_metric_learning_train(tmp_path, loss, settings):
    result = run(small(loss, settings=settings), tmp_path)
    assert result.status == "done"
    assert result.rule == ("class scores" if "CosFace" in loss else "nearest class mean (cosine)")


def test_the_adapter_is_the_library_itself():
    from pytorch_metric_learning.losses import CircleLoss
    from pytorch_metric_learning.miners import MultiSimilarityMiner

    make, spec = plugins.find("pml:CircleLoss")
    ours = make(10, 2, **spec.resolve(10, 2, m=0.3, miner="MultiSimilarityMiner"))
    x, y = torch.randn(40, 2), torch.arange(40) % 10
    expected = CircleLoss(m=0.3)(x, y, MultiSimilarityMiner()(x, y))
    torch.testing.assert_close(ours(x, y), expected)


def test_the_adapter_computes_in_float32_under_autocast():
    make, spec = plugins.find("pml:CosFaceLoss")
    ours = make(10, 2, **spec.resolve(10, 2))
    x, y = torch.randn(40, 2), torch.arange(40) % 10
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ours(x, y), ours.logits(x)
    torch.testing.assert_close(found, (ours(x, y), ours.logits(x)))


@pytest.mark.filterwarnings("ignore")  # the library warns of its own use of NumPy
def test_the_library_is_there_but_for_what_is_refused():
    from pytorch_metric_learning import losses

    from lossbench.losses import _pml

    x, y = torch.randn(40, 2, requires_grad=True), torch.arange(40) % 10
    assert len(_pml._classes(losses)) > 25
    for name in _pml._classes(losses):
        make, spec = plugins.find(f"pml:{name}")
        assert torch.isfinite(make(10, 2, **spec.resolve(10, 2))(x, y)), name
        assert explain(f"pml:{name}", {}, 10, 2).settings == spec.resolve(10, 2)
        assert documentation(f"pml:{name}").strip()


@pytest.mark.parametrize(
    ("docstring", "shown"),
    [('"""Pulls features.\n\n    Further on."""', "Pulls features.\n\nFurther on."), ("", "my_losses:Pull")],
)
def test_explain_shows_the_docstring_of_the_users_class(mine, docstring, shown):
    whole = '"""Pulls features to the origin."""'
    file = mine / "my_losses.py"
    assert whole in file.read_text()
    file.write_text(file.read_text().replace(whole, docstring))
    assert documentation("my_losses:Pull") == shown
