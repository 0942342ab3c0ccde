"""The data sets: real IDX files through torchvision's classes, and a sentence for every way they can be wrong."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lossbench.errors import DataError
from lossbench.records import LabelledImages
from lossbench.specs import catalog

FILES = {
    "MNIST": (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ),
    "EMNIST": tuple(
        f"emnist-digits-{part}-{what}-ubyte"
        for part in ("train", "test")
        for what in ("images-idx3", "labels-idx1")
    ),
    "QMNIST": tuple(
        f"qmnist-{part}-{what}"
        for part in ("train", "test")
        for what in ("images-idx3-ubyte", "labels-idx2-int")
    ),
}
FILES["FashionMNIST"] = FILES["KMNIST"] = FILES["MNIST"]
NAMES = {
    "mnist": "MNIST",
    "fashion-mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "qmnist": "QMNIST",
    "emnist-digits": "EMNIST",
}
UNCHECKED = [name for name in NAMES if name != "mnist"]  # no published MD5: the test can make the files


def idx(array: Tensor) -> bytes:
    """The bytes of an IDX file: two zeros, type, dimensions, sizes, then the items, all big-endian."""
    code, size = {torch.uint8: (0x08, 1), torch.int32: (0x0C, 4)}[array.dtype]
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    items = array.contiguous().numpy()
    return head + (items if size == 1 else items.astype(">i4")).tobytes()


def pictures(count: int, start: int = 0) -> Tensor:
    """Images that differ from each other and from their own transpose."""
    index = torch.arange(count * 28 * 28).reshape(count, 28, 28) + start
    return (index * 37 % 251).to(torch.uint8)


def write_data_set(folder: Path, title: str, *, labels: Tensor | None = None) -> Path:
    """50 training and 20 test images in torchvision's layout; returns the folder with the files."""
    raw = folder / title / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    given = torch.arange(50) % 10 if labels is None else labels
    parts = [pictures(len(given)), given, pictures(20, 5), torch.arange(20) % 10]
    for name, part in zip(FILES[title], parts, strict=True):
        if title == "QMNIST" and part.ndim == 1:  # class, then seven numbers about writer and origin
            part = torch.stack([part, *(part + 100 + i for i in range(7))], dim=1).int()
        (raw / name).write_bytes(idx(part if part.dtype in (torch.uint8, torch.int32) else part.byte()))
    return raw


def load(name: str, folder: Path, download: bool = False) -> tuple[LabelledImages, LabelledImages]:
    read = catalog.load("data", name)
    found: tuple[LabelledImages, LabelledImages] = (
        read(folder, "train", download),
        read(folder, "test", download),
    )
    return found


def sentence(name: str, folder: Path, download: bool = False) -> str:
    with pytest.raises(DataError) as caught:
        load(name, folder, download)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


@pytest.mark.parametrize("name", UNCHECKED)
def test_idx_files_load_as_they_were_written(name: str, tmp_path: Path) -> None:
    write_data_set(tmp_path, NAMES[name])
    for (images, labels), count, start in zip(load(name, tmp_path), (50, 20), (0, 5), strict=True):
        expected = pictures(count, start)
        assert (1, *images.shape[1:]) == catalog.spec("data", name).shape
        if name == "emnist-digits":  # stored transposed, loaded upright
            expected = expected.transpose(1, 2)
        assert torch.equal(images, expected)
        assert images.is_contiguous()
        assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
        assert labels.tolist() == [i % 10 for i in range(count)]


@pytest.mark.parametrize("name", UNCHECKED)
@pytest.mark.parametrize("which", range(4))
def test_a_cut_file_is_named(name: str, which: int, tmp_path: Path) -> None:
    path = write_data_set(tmp_path, NAMES[name]) / FILES[NAMES[name]][which]
    whole = path.read_bytes()
    for kept in (0, 1, 3, 4, 7, 8, 15, 16, len(whole) // 2, len(whole) - 1):
        if kept == len(whole):
            continue
        path.write_bytes(whole[:kept])
        assert str(path) in sentence(name, tmp_path)
    path.write_bytes(whole + b"\0")
    assert f"{len(whole) + 1} bytes where its header promises {len(whole)}" in sentence(name, tmp_path)
    path.write_bytes(whole)
    load(name, tmp_path)


def test_every_altered_byte_of_a_header_is_noticed_or_harmless(tmp_path: Path) -> None:
    raw = write_data_set(tmp_path, "KMNIST")
    for name in FILES["KMNIST"]:
        path = raw / name
        whole = path.read_bytes()
        for place in range(16 if "images" in name else 8):
            for value in (0x00, 0x01, 0x02, 0x03, 0x08, 0x0B, 0x7F, 0xFF):
                altered = bytearray(whole)
                altered[place] = value
                path.write_bytes(altered)
                if altered != whole:
                    assert str(path) in sentence("kmnist", tmp_path), (place, value)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("header", "items"),
    [
        (b"\0\0\x08\x03" + struct.pack(">3I", 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF), 16),  # 2^96 bytes
        (b"\0\0\x08\x08" + struct.pack(">8I", *[0xFFFFFFFF] * 8), 0),
        (b"\0\0\x08\x02" + struct.pack(">2I", 50, 784), 50 * 784),  # whole, but no images
        (b"\0\0\x08\x04" + struct.pack(">4I", 50, 1, 28, 28), 50 * 784),
        (b"\0\0\x0c\x03" + struct.pack(">3I", 50, 14, 14), 50 * 784),  # 32-bit numbers
        (b"\0\0\x09\x03" + struct.pack(">3I", 50, 28, 28), 50 * 784),
        (b"\0\0\x08\x03" + struct.pack(">3I", 0, 28, 28), 0),  # no image at all
        (b"\0\0\x08\x03" + struct.pack(">3I", 50, 14, 56), 50 * 784),  # no network takes these
        (b"\0\0\x08\x03" + struct.pack(">3I", 100, 14, 28), 50 * 784),  # more images than labels
        (b"\x1f\x8b\x08\x00", 2000),  # still packed
        (b"<html>", 2000),  # what a captive portal sends
    ],
    ids=["huge", "huge8", "2-D", "4-D", "int32", "int8", "empty", "14x56", "100", "gzip", "html"],
)
def test_a_header_that_lies_is_refused(header: bytes, items: int, tmp_path: Path) -> None:
    raw = write_data_set(tmp_path, "FashionMNIST")
    (raw / "train-images-idx3-ubyte").write_bytes(header + bytes(items))
    started = time.process_time()
    assert str(raw) in sentence("fashion-mnist", tmp_path) or "FashionMNIST" in sentence(
        "fashion-mnist", tmp_path
    )
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("which", "content", "said"),
    [
        (0, b"<html>", "{path} is not an IDX file; delete it to have it fetched again."),
        (1, idx(torch.zeros(50, dtype=torch.uint8))[:-1],
         "{path} is cut short or altered: 57 bytes where its header promises 58; delete it to have it fetched "
         "again."),
        (0, idx(torch.zeros(50, 784, dtype=torch.uint8)),
         "{path} holds values of shape (50, 784); bytes (N, 28, 28) are needed."),
        (3, idx(torch.zeros(20, 1, 1, dtype=torch.uint8)),
         "{path} holds values of shape (20, 1, 1); one label per image are needed."),
        (2, None,
         "KMNIST is not in {raw}; put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
         "t10k-labels-idx1-ubyte (or torchvision's archives of them) into {raw}, or use --dataset digits, which "
         "needs no files."),
    ],
)  # fmt: skip
def test_sentences_on_files_are_complete(
    which: int, content: bytes | None, said: str, tmp_path: Path
) -> None:
    raw = write_data_set(tmp_path, "KMNIST")
    path = raw / FILES["KMNIST"][which]
    path.write_bytes(content) if content is not None else path.unlink()
    assert sentence("kmnist", tmp_path) == said.format(path=path, raw=raw)


def test_more_labels_than_images_are_refused(tmp_path: Path) -> None:
    raw = write_data_set(tmp_path, "KMNIST")
    (raw / "train-labels-idx1-ubyte").write_bytes(idx(torch.zeros(51, dtype=torch.uint8)))
    assert sentence("kmnist", tmp_path) == f"{raw} has 50 images but 51 labels."


@pytest.mark.parametrize("name", NAMES)
def test_missing_files_get_one_sentence_that_says_what_to_do(name: str, tmp_path: Path) -> None:
    title = NAMES[name]
    for folder in (tmp_path, tmp_path / "not" / "there"):
        message = sentence(name, folder)
        assert all(file in message for file in FILES[title])
        assert str(folder / title / "raw") in message
        assert "--dataset digits" in message
    assert not (tmp_path / "not").exists()
    raw = write_data_set(tmp_path, title)
    for number, file in enumerate(FILES[title]):
        content = (raw / file).read_bytes()
        (raw / file).unlink()
        with pytest.raises(DataError, match=f"{title} is not in {re.escape(str(raw))}"):
            catalog.load("data", name)(tmp_path, "train" if number < 2 else "test", False)
        (raw / file).write_bytes(content)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        asked.append(arguments)
        raise OSError("network is unreachable")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


@pytest.mark.parametrize("name", NAMES)
def test_without_a_network_the_sentence_says_what_to_do_at_once(
    name: str, tmp_path: Path, no_network: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.perf_counter()
    with pytest.raises(DataError) as caught:
        catalog.load("data", name)(tmp_path, "train")  # as training does: it fetches what is not there
    message = str(caught.value)
    assert time.perf_counter() - started < 10
    assert no_network, "it never tried"
    assert "could not be fetched" in message
    assert "network is unreachable" in message, "the reason"
    assert all(file in message for file in FILES[NAMES[name]])
    assert str(tmp_path / NAMES[name] / "raw") in message
    assert "--dataset digits" in message
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", NAMES)
def test_what_lies_there_is_never_fetched(name: str, tmp_path: Path, no_network: list[Any]) -> None:
    write_data_set(tmp_path, NAMES[name])
    if name == "mnist":
        assert "MD5" in sentence(name, tmp_path, download=True)
    else:
        load(name, tmp_path, download=True)
    assert not no_network


def test_mnist_of_another_content_is_refused(tmp_path: Path) -> None:
    raw = write_data_set(tmp_path, "MNIST")
    message = sentence("mnist", tmp_path)
    assert message == (
        f"{raw / FILES['MNIST'][0]} is altered: its MD5 is not the published one; delete it to have it fetched again."
    )


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    path = write_data_set(tmp_path, "KMNIST") / FILES["KMNIST"][1]
    path.unlink()
    path.mkdir()
    assert str(path) in sentence("kmnist", tmp_path)


def test_a_file_in_the_place_of_the_folder_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "KMNIST").write_text("")
    for download in (False, True):
        assert "KMNIST" in sentence("kmnist", tmp_path, download)


def test_only_the_verified_files_are_read(tmp_path: Path) -> None:
    write_data_set(tmp_path, "KMNIST")
    old = tmp_path / "KMNIST" / "processed"  # what torchvision before 0.9 wrote, still read by it first
    old.mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save(
            (torch.zeros(50, 28, 28, dtype=torch.uint8), torch.zeros(50, dtype=torch.int64)), old / name
        )
    train, _ = load("kmnist", tmp_path)
    assert torch.equal(train.images, pictures(50))


def test_digits_lie_inside_the_package(tmp_path: Path, no_network: list[Any]) -> None:
    train, test = load("digits", tmp_path / "nowhere", download=True)
    assert not no_network
    assert not (tmp_path / "nowhere").exists()
    assert (len(train.labels), len(test.labels)) == (1433, 364)  # 1,797 in all
    for images, labels in (train, test):
        assert images.shape == (len(labels), 28, 28)
        assert images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        assert images.max() > 240
        assert images.min() == 0
    for label in range(10):
        in_test, in_train = int((test.labels == label).sum()), int((train.labels == label).sum())
        assert in_test == -(-(in_test + in_train) // 5)
    again, _ = load("digits", tmp_path)
    assert torch.equal(again.images, train.images)


def test_digits_show_the_scans_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    scans, labels = load_digits(return_X_y=True)
    train, test = load("digits", Path("nowhere"))
    enlarged = torch.nn.functional.adaptive_avg_pool2d(
        torch.cat([train.images, test.images]).float()[:, None], 8
    )
    nearest = torch.cdist(enlarged.flatten(1), torch.from_numpy(scans).float() * 255 / 16).argmin(1)
    agree = torch.from_numpy(labels)[nearest] == torch.cat([train.labels, test.labels])
    assert agree.float().mean() > 0.999
    assert len(nearest.unique()) > 1750  # each scan once, a few are near twins


@pytest.mark.mnist
def test_the_real_mnist(mnist_folder: Path) -> None:
    train, test = load("mnist", mnist_folder)
    assert catalog.spec("data", "mnist").shape == (1, 28, 28)
    assert train.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    assert torch.bincount(train.labels).tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    assert torch.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert train.images.float().mean() == pytest.approx(0.1307 * 255, abs=0.02)


@pytest.mark.parametrize("existing", ["", "photos", "photos/MNIST/raw"])
def test_a_failed_download_leaves_the_folder_of_the_user_as_it_was(
    existing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[Any]
) -> None:
    """No lock, no empty folder; the lock is in the user's cache, or, where there is none, among temporary files."""
    (tmp_path / existing).mkdir(parents=True, exist_ok=True)
    before = set(tmp_path.rglob("*"))
    for home in ("cache", "file/below"):
        (tmp_path.parent / f"{tmp_path.name}-home").mkdir(exist_ok=True)
        place = tmp_path.parent / f"{tmp_path.name}-home"
        (place / "file").write_text("no folder")
        monkeypatch.setenv("XDG_CACHE_HOME", str(place / home))
        said = sentence("mnist", tmp_path / "photos", download=True)
        assert "could not be fetched" in said
        assert "Errno" not in said
        assert set(tmp_path.rglob("*")) == before
        assert (place / "cache" / "lossbench" / "locks").is_dir()


def test_what_was_fetched_before_a_failure_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[Any]
) -> None:
    def part(root: str, **_: Any) -> None:
        (Path(root) / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"a part")
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.MNIST", part)
    sentence("mnist", tmp_path, download=True)
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert names == ["t10k-labels-idx1-ubyte.gz"]


def dotted(name: str) -> str:
    return name.replace("-idx", ".idx")


def relocate(raw: Path, folder: Path, layout: str) -> Path:
    """Move the files of torchvision's layout into another one, and return the data folder to give."""
    for path in sorted(raw.iterdir()):
        target = {
            "dotted": raw / dotted(path.name),
            "flat": raw.parent / path.name,
            "a folder per file": raw.parent / path.name / path.name,
            "a dotted folder per file": raw / path.name / dotted(path.name),
            "archives": raw / f"{path.name}.gz",
            "dotted archives": raw.parent / f"{dotted(path.name)}.gz",
            "the folder of the data set": path,
            "the raw folder": path,
            "lower case": folder / raw.parent.name.lower() / path.name,
        }[layout]
        content = path.read_bytes()
        path.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(content) if target.suffix == ".gz" else content)
    given = {"the folder of the data set": raw.parent, "the raw folder": raw}
    return given.get(layout, folder)


LAYOUTS = [
    *("dotted", "flat", "a folder per file", "a dotted folder per file", "archives", "dotted archives"),
    *("the folder of the data set", "the raw folder", "lower case"),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["kmnist", "qmnist"])
def test_other_layouts_are_read_as_they_are(
    name: str, layout: str, tmp_path: Path, no_network: list[Any]
) -> None:
    raw = write_data_set(tmp_path, NAMES[name])
    folder = relocate(raw, tmp_path, layout)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    train, test = load(name, folder, download=True)
    assert torch.equal(train.images, pictures(50))
    assert torch.equal(test.images, pictures(20, 5))
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert not no_network


@pytest.mark.parametrize("spelling", ["fashion-mnist", "Fashion_MNIST", "fashionmnist"])
def test_the_folder_of_a_data_set_may_be_spelt_with_dashes(
    spelling: str, tmp_path: Path, no_network: list[Any]
) -> None:
    """Debian's package dataset-fashion-mnist has its archives in /usr/share/datasets/fashion-mnist."""
    raw = write_data_set(tmp_path / "written", "FashionMNIST")
    for path in raw.iterdir():
        target = tmp_path / "data" / spelling / f"{path.name}.gz"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(path.read_bytes()))
    train, _ = load("fashion-mnist", tmp_path / "data", download=True)
    assert torch.equal(train.images, pictures(50))
    assert not no_network


def test_files_of_another_data_set_are_not_taken_by_their_names(tmp_path: Path) -> None:
    """FashionMNIST and KMNIST have files of the same names, and no published MD5."""
    raw = write_data_set(tmp_path, "FashionMNIST")
    assert "KMNIST is not in" in sentence("kmnist", raw)
    relocate(raw, tmp_path, "flat")
    assert "KMNIST is not in" in sentence("kmnist", tmp_path)
    load("fashion-mnist", tmp_path)


@pytest.mark.parametrize("cut", ["idx", "archive", "page"])
def test_a_damaged_file_in_another_layout_is_not_taken(cut: str, tmp_path: Path) -> None:
    raw = write_data_set(tmp_path, "KMNIST")
    relocate(raw, tmp_path, "archives" if cut == "archive" else "dotted")
    damaged = sorted(raw.iterdir())[0]
    damaged.write_bytes(b"<html>" if cut == "page" else damaged.read_bytes()[:-9])
    assert "KMNIST is not in" in sentence("kmnist", tmp_path)


@pytest.mark.mnist
@pytest.mark.parametrize("layout", ["dotted", "flat", "a folder per file", "archives", "odd names", "root"])
def test_the_real_mnist_is_known_by_its_content(
    layout: str, mnist_folder: Path, tmp_path: Path, no_network: list[Any]
) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for number, file in enumerate(FILES["MNIST"][2:]):  # the small part
        shutil.copyfile(mnist_folder / "MNIST" / "raw" / file, raw / file)
        if layout in ("odd names", "root"):
            (raw / file).rename(tmp_path / (f"{number}.bin" if layout == "odd names" else file))
    if layout not in ("odd names", "root"):
        relocate(raw, tmp_path, layout)
    for path in tmp_path.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    images, labels = catalog.load("data", "mnist")(tmp_path, "test", True)
    assert (images.shape, labels[:3].tolist()) == ((10_000, 28, 28), [7, 2, 1])
    assert not no_network
    for path in tmp_path.rglob("*"):
        os.chmod(path, 0o755)
