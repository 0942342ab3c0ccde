"""Data that cannot be used: one clear sentence, exit code 2, and nothing left behind."""

from __future__ import annotations

import io
import os
import re
import resource
import struct
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossbench.__main__ import main
from lossbench.data import _array_files, _folder, _survey, find_dataset
from lossbench.data._user_data import load_user_data
from lossbench.errors import InvalidData

from ..helpers.user_data import OPTIONS, digits, make, write_images

IMAGES, LABELS = digits()


def npz(**arrays):
    def write(place: Path) -> str:
        np.savez(place / "a.npz", **{"images": IMAGES, "labels": LABELS, **arrays})
        return "a.npz"

    return write


def features(value):
    values = IMAGES.reshape(-1, 64).astype(float)
    values[7, 3] = value
    return npz(images=values)


def cut(form: str, name: str, keep: float = 0.6):
    def write(place: Path) -> str:
        dataset = make(form, place)
        path = next(path for path in sorted(place.rglob("*")) if path.match(name))
        path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
        return dataset

    return write


def replaced(form: str, name: str, content: bytes):
    def write(place: Path) -> str:
        dataset = make(form, place)
        next(path for path in sorted(place.rglob("*")) if path.match(name)).write_bytes(content)
        return dataset

    return write


def folder(change):
    def write(place: Path) -> str:
        make("folder", place)
        change(place / "folder")
        return "folder"

    return write


def npy(header: bytes, body: bytes = b"") -> bytes:
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def png(mode: str, size: tuple[int, int] = (8, 8)) -> bytes:
    content = io.BytesIO()
    Image.new(mode, size).save(content, "PNG")
    return content.getvalue()


def bomb(place: Path) -> str:
    """200 GB of zeros in 200 kB: one member that says so, of what a real one would hold."""
    with zipfile.ZipFile(place / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            file.write(npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 1000, 2000), }"))
            for _ in range(20):
                file.write(bytes(10**6))
        archive.getinfo("images.npy").file_size = 2 * 10**11
        with archive.open("labels.npy", "w") as file:
            np.save(file, np.arange(100))
    return "bomb.npz"


def function(body: str):
    def write(place: Path) -> str:
        (place / "bad_data.py").write_text(
            f"import numpy as np\ndef get():\n{textwrap.indent(body, '    ')}\n"
        )
        return "bad_data:get"

    return write


def zip_of_images() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("class 1/a.png", png("L"))
    return content.getvalue()


def altered_npz(place: Path) -> str:
    dataset = make("embeddings", place)
    content = bytearray(Path(dataset).read_bytes())
    content[5000] ^= 1
    (place / "npz.npz").write_bytes(content)
    return "npz.npz"


def nothing(dataset: str):
    return lambda place: dataset


def file(name: str, content: bytes = b""):
    def write(place: Path) -> str:
        (place / name).write_bytes(content)
        return name

    return write


def link_out(place: Path) -> None:
    os.symlink("/etc/hostname", place / "class 1" / "zz.png")


def link_to_folder(place: Path) -> None:
    os.symlink("/etc", place / "etc")


def one_class(place: Path) -> None:
    (place / "class 0").rename(place.parent / "kept")
    for path in sorted(place.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (place.parent / "kept").rename(place / "class 0")


def few(place: Path) -> None:
    for path in sorted((place / "class 2").iterdir())[4:]:
        path.unlink()


def unknown_test_class(place: Path) -> str:
    make("split folder", place)
    (place / "split-folder" / "test" / "elephant").mkdir()
    return "split-folder"


CASES = {
    "truncated image": (cut("folder", "class 2/*.png"), r"class 2.*\.png cannot be read as an image: .*"),
    "truncated npz": (cut("npz", "npz.npz"), r"npz\.npz .*"),
    "truncated npy": (cut("npy", "*images.npy"), r"digit_images\.npy is cut short or altered: .* bytes"),
    "truncated header": (replaced("npy", "*images.npy", b"\x93NUMPY\x01\x00v"), "cut short"),
    "truncated IDX": (cut("idx", "train-images*"), "train-images-idx3-ubyte .*cut short"),
    "IDX without shape": (replaced("idx", "train-images*", b"\0\0\x08\0"), r"samples of shape \(0,\)"),
    "truncated gzip": (replaced("idx", "train-images*", b"\x1f\x8b\x08\0"), "train-images-idx3-ubyte .*cut short"),
    "empty image": (replaced("folder", "class 3/*.png", b""), r"class 3.*\.png cannot be read .*empty"),
    "text as image": (replaced("folder", "class 3/*.png", b"hello"), r"class 3.*\.png cannot be read"),
    "16-bit image": (replaced("folder", "class 0/*.png", png("I;16")), "more than 8 bits"),
    "mixed sizes": (replaced("folder", "class 3/*.png", png("L", (9, 8))), "9 x 8 pixels.*--image-size"),
    "no classes": (lambda place: str((place / "empty").mkdir() or "empty"), "no folder per class"),
    "one class": (folder(one_class), "has one class, class 0"),
    "empty class": (folder(lambda f: (f / "void").mkdir()), "the class void has 0 training samples"),
    "few samples": (folder(few), "the class class 2 has 4 training samples; 5 are needed"),
    "class that is only tested": (unknown_test_class, "elephant is a class without training images"),
    "newline in a class": (folder(lambda f: (f / "class 1").rename(f / "class\n1")), r"'class\\n1'.*rename"),
    "bytes in a class": (folder(lambda f: os.rename(f / "class 1", bytes(f) + b"/\xff\xfe")), "rename"),
    "folder like an image": (folder(lambda f: (f / "class 1" / "x.png").mkdir()), "folder with the name"),
    "link out": (folder(link_out), r"zz\.png is a link to /etc/hostname"),
    "link to a folder": (folder(link_to_folder), "etc is a link"),
    "link to nothing": (folder(lambda f: os.symlink("gone.png", f / "class 1" / "zz.png")), "is a link"),
    "pipe": (folder(lambda f: os.mkfifo(f / "class 1" / "zz.png")), "is not a file"),
    "lengths": (npz(labels=LABELS[:-1]), "720 samples but 719 labels"),
    "labels in no UTF-8": (npz(labels=np.array([b"a", b"\xff"])[LABELS % 2]), "words that are not UTF-8"),
    "float labels": (npz(labels=LABELS / 2), "labels of type float64"),
    "negative labels": (npz(labels=LABELS - 1), "labels from -1 to 2"),
    "huge labels": (npz(labels=LABELS.astype(np.uint64) << 60), "labels from 0 to"),
    "two labels each": (npz(labels=np.stack([LABELS, LABELS], 1)), r"labels of shape \(720, 2\)"),
    "label beyond the classes": (npz(classes=["a", "b", "c"]), "label 3, which is not one of the classes"),
    "test label unknown": (npz(test_images=IMAGES[:9], test_labels=np.full(9, 7)), "test part has the label 7"),
    "same names": (npz(classes=["a", "b", "a", "d"]), "two classes have the same name"),
    "name with newline": (npz(classes=["a", "b", "c\n", "d"]), "rename"),
    "object labels": (npz(labels=LABELS.astype(object)), "Python objects"),
    "object images": (npz(images=IMAGES.astype(object)), "Python objects"),
    "NaN": (features(np.nan), "NaN or infinite, first in row 7"),
    "half a letter in a class": (
        function("return np.zeros((9, 8, 8), np.uint8), np.array(['\\udc80', *'bbbbcccc'])"), r"'\\udc80' of a class cannot"
    ),
    "infinite": (features(np.inf), "NaN or infinite, first in row 7"),
    "beyond float32": (features(1e300), "NaN or infinite"),
    "complex": (npz(images=IMAGES.reshape(-1, 64) * 1j), "complex"),
    "float images": (npz(images=IMAGES / 255), "images of type float64; uint8"),
    "five channels": (npz(images=np.zeros((720, 8, 8, 5), np.uint8)), "one channel or three"),
    "flat": (npz(images=np.zeros(720)), r"samples of shape \(720,\)"),
    "no pixels": (npz(images=np.zeros((720, 0, 8), np.uint8)), r"samples of shape"),
    "no samples": (npz(images=IMAGES[:0], labels=LABELS[:0]), "no samples"),
    "test part without labels": (npz(test_images=IMAGES), "for each part"),
    "test part of another shape": (npz(test_images=IMAGES[:, 1:], test_labels=LABELS), "another shape"),
    "twice": (npz(x=IMAGES), "several arrays"),
    "no labels": (lambda place: np.savez(place / "b.npz", images=IMAGES) or "b.npz", "one named like labels"),
    "no names": (lambda place: np.savez(place / "b.npz", a=IMAGES, b=LABELS) or "b.npz", "one named like"),
    "labels in no file": (lambda place: np.save(place / "b.npy", IMAGES) or "b.npy", "one named like labels"),
    "bomb": (bomb, "bomb.npz: .*200.0 GB.* need 400.0 GB of memory"),
    "no such size": (
        lambda place: file("images.npy", npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999, 64), }"))(place),
        "cut short or altered: 0 bytes where its header promises",
    ),
    "negative size": (
        lambda place: file("images.npy", npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -64), }"))(place),
        "images.npy",
    ),
    "code in a header": (
        lambda place: file("images.npy", npy(b"__import__('os').mkdir('hacked')"))(place), "images.npy is not an .npy"
    ),
    "device": (nothing("/dev/zero"), "is neither a folder nor a file"),
    "pipe as data": (lambda place: os.mkfifo(place / "p.npz") or "p.npz", "is neither a folder nor a file"),
    "zip of images": (replaced("npz", "npz.npz", zip_of_images()), "one named like labels"),
    "altered npz": (altered_npz, "npz.npz cannot be read: Bad CRC-32"),
    "empty file": (file("empty.npz"), "empty.npz is not an .npz"),
    "text file": (file("a.csv", b"1,2\n"), "a.csv is not an .npz"),
    "pickle": (file("a.pkl", b"\x80\x04K\x01."), "a.pkl is not an .npz"),
    "folder like a file": (lambda place: str((place / "a.npz").mkdir() or "a.npz"), "a.npz has no folder per class"),
    "not there": (nothing("no/such place"), "no/such place is not there"),
    "newline in the name": (nothing("no\nsuch.npz"), r"no\\nsuch.npz is not there"),
    "NUL in the name": (nothing("no\0such.npz"), r"such.npz is not there"),
    "no module": (nothing("no_such_module:get"), "cannot be imported: ModuleNotFoundError"),
    "no function": (nothing("json:get"), "cannot be imported: AttributeError"),
    "function that fails": (function("raise RuntimeError('no disk')"), "RuntimeError: no disk"),
    "function of nothing": (function("return None"), "cannot be used"),
    "function of few": (function("return [np.zeros((9, 8, 8), np.uint8)]"), "one named like labels"),
    "function of objects": (function("return {'x': [object()], 'y': [0]}"), "type object"),
}  # fmt: skip


NO_FILE = "is not an .npz, .npy or IDX file (up to 1 GiB), or is cut short."
NO_CLASSES = "has no folder per class, no .npy and no IDX files."
NOT_THERE = "names a folder, a file or one of digits, emnist-digits, fashion-mnist, kmnist, mnist, qmnist."
NEEDED = "images (N, H, W) or (N, H, W, C) of type uint8, or features (N, D), are needed."
ONE_PART = "needs one array named like images or features and one named like labels; see docs/your-data.md."
PYTHON = "holds Python objects, which are not read; save numbers or words."
NO_IMAGE, LINK = "cannot be read as an image: it is empty or no image.", "; put the files there themselves."
NAME, FEATURES = (
    "of a class cannot be shown; rename it.",
    "has features that are NaN or infinite, first in row 7.",
)
ENDS = {
    **dict.fromkeys(("truncated npz", "truncated IDX", "truncated gzip", "empty file", "text file", "pickle"), NO_FILE),
    **dict.fromkeys(("no classes", "folder like a file"), NO_CLASSES),
    **dict.fromkeys(("not there", "newline in the name", "NUL in the name"), NOT_THERE),
    **dict.fromkeys(("IDX without shape", "complex", "flat", "no pixels", "function of objects"), NEEDED),
    **dict.fromkeys(("no labels", "no names", "labels in no file", "zip of images", "function of few"), ONE_PART),
    **dict.fromkeys(("object labels", "object images"), PYTHON),
    **dict.fromkeys(("empty image", "text as image"), NO_IMAGE),
    **dict.fromkeys(("link out", "link to a folder", "link to nothing"), LINK),
    **dict.fromkeys(("newline in a class", "bytes in a class", "name with newline", "half a letter in a class"), NAME),
    **dict.fromkeys(("NaN", "infinite", "beyond float32"), FEATURES),
    **dict.fromkeys(("device", "pipe as data"), "is neither a folder nor a file."),
    "truncated npy": "is cut short or altered: 27,596 bytes where its header promises 46,080.",
    "no such size": "is cut short or altered: 0 bytes where its header promises 5,119,999,999,488.",
    "16-bit image": "cannot be read as an image: it has more than 8 bits a channel (mode I;16).",
    "mixed sizes": "has 9 x 8 pixels, others 8 x 8; --image-size brings all to one size.",
    "one class": "has one class, class 0; training needs two.",
    "empty class": "the class void has 0 training samples; 5 are needed.",
    "folder like an image": "x.png is a folder with the name of an image.",
    "lengths": "has 720 samples but 719 labels.",
    "float labels": "has labels of type float64; whole numbers or words are needed.",
    "negative labels": "has labels from -1 to 2; they number the classes from 0.",
    "two labels each": "has labels of shape (720, 2); one label per sample is needed.",
    "float images": "has images of type float64; uint8, from 0 to 255, is needed.",
    "five channels": "has images of shape (8, 8, 5); one channel or three are needed, in the last place.",
    "test part without labels": "one named like labels for each part; see docs/your-data.md.",
    "test part of another shape": "the test part has samples of another shape than the training part.",
    "twice": "has several arrays for the train samples, such as x.",
    "function that fails": "The data set bad_data:get cannot be used: RuntimeError: no disk; see docs/your-data.md.",
    "function of nothing": "TypeError: it returns a NoneType, not images and labels; see docs/your-data.md.",
}  # fmt: skip
"""How the sentence ends, where that says what is needed."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_one_sentence_and_nothing_left_behind(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    write, sentence = CASES[case]
    dataset = write(tmp_path)
    before = sorted(
        path for path in tmp_path.rglob("*") if path.name != "__pycache__" and path.suffix != ".pyc"
    )
    assert main(["train", "--dataset", dataset, *OPTIONS]) == 2
    sys.modules.pop("bad_data", None)
    _array_files._functions.clear()
    said = capsys.readouterr().err.strip()
    assert re.search(sentence, said), said
    assert (
        said.startswith("lossbench: ") and said.endswith(ENDS.get(case, ".")) and len(said.splitlines()) == 1
    ), said
    after = sorted(
        path for path in tmp_path.rglob("*") if path.name != "__pycache__" and path.suffix != ".pyc"
    )
    assert after == before


@pytest.mark.parametrize("case", ["truncated image", "mixed sizes", "few samples"])
def test_a_comparison_leaves_nothing_either(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    dataset = CASES[case][0](tmp_path)
    assert main(["compare", "--losses", "softmax,center", "--dataset", dataset, *OPTIONS]) == 2
    assert not (tmp_path / "results").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files_are_named(tmp_path):
    make("folder", tmp_path)
    path = next((tmp_path / "folder" / "class 1").iterdir())
    path.chmod(0)
    with pytest.raises(InvalidData, match=r"class 1.*cannot be read: Permission denied"):
        find_dataset(str(tmp_path / "folder"))


def test_a_file_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    make("folder", tmp_path)

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(_folder, "open", refuse, raising=False)
    with pytest.raises(InvalidData, match=r"class 0.*png cannot be read: Permission denied"):
        find_dataset(str(tmp_path / "folder"))


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_with_spaces_signs_and_letters_of_any_language(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = ["größe 1", "$x^2", "<b>", "数字", "a,b", "_c{", "7"]
    for label, name in enumerate(names):
        write_images(tmp_path / "my bilder", *(array[label % 4 == LABELS] for array in (IMAGES, LABELS)))
        (tmp_path / "my bilder" / f"class {label % 4}").rename(tmp_path / "my bilder" / name)
    options = ["--dataset", "my bilder", *OPTIONS]
    assert main(["train", *options]) == 0
    for figure in ("features", "confusion", "hardest"):
        assert main(["plot", figure]) == 0, figure
    assert main(["explore"]) == 0
    page = next((tmp_path / "results" / "figures").glob("explore*.html")).read_text()
    assert "<b>" not in page.replace("<b></b>", "").split("</style>")[-1].split("<script")[0]


def test_a_colour_image_that_was_not_surveyed_is_named_among_grey_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(_folder, "_SURVEYED", 1)
    spec = find_dataset(replaced("folder", "class 3/*.png", png("RGB"))(tmp_path))
    with pytest.raises(InvalidData, match=r"class 3.*png is in colour"):
        load_user_data(spec, ("train",))


def test_it_says_how_much_memory_it_needs(tmp_path, monkeypatch):
    dataset = make("folder", tmp_path)
    spec = find_dataset(dataset)
    monkeypatch.setattr(_survey, "_memory", lambda: 1e6)
    with pytest.raises(
        InvalidData, match=r"720 images of 1 x 512 x 512 need 0\.4 GB of memory; there are 0\.0"
    ):
        load_user_data(spec, ("train",), 512)


def test_memory_is_needed_for_the_bytes_and_their_copy(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        _array_files, "check_memory", lambda where, needed, what: asked.append((needed, what))
    )
    np.save(tmp_path / "x.npy", IMAGES)  # 720 x 8 x 8
    np.save(tmp_path / "y.npy", LABELS.astype(np.uint8))
    find_dataset(str(tmp_path / "x.npy"))
    assert asked == [(2 * 46_080, "0.0 GB of values"), (2 * 720, "0.0 GB of values")]
    asked.clear()
    find_dataset(npz()(tmp_path) and str(tmp_path / "a.npz"))
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    assert asked[0] == (2 * size, "its arrays, 0.0 GB when unpacked,")


def test_what_pillow_warns_of_is_no_error(tmp_path):
    """Such as transparency of a palette; pytest makes errors of warnings."""
    dataset = make("folder", tmp_path)
    for path in tmp_path.rglob("*.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).convert("P").save(path, transparency=bytes(256))
    spec = find_dataset(dataset)
    assert spec.shape == (3, 8, 8)
    assert load_user_data(spec, ("train",))["train"].images.max() == 0


@pytest.mark.slow
def test_a_hundred_thousand_tiny_files_are_listed_in_flat_memory(tmp_path):
    """The listing alone; to read the files takes as long as the disk needs."""
    content = png("L", (2, 2))
    for label in range(100):
        (tmp_path / f"{label:02}").mkdir()
        for number in range(1000):
            (tmp_path / f"{label:02}" / f"{number}.png").write_bytes(content)
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    classes, listings = _folder._listings(str(tmp_path))
    assert len(classes) == 100 and len(listings["train"].paths) == 100_000
    assert time.process_time() - began < 10
    began = time.process_time()
    spec = find_dataset(str(tmp_path))
    assert spec.shape == (1, 2, 2)
    assert time.process_time() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
