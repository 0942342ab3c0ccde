"""Training, validation and test images: the same ones always, each class in proportion."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from lossbench.data._splits import data_folder, load_splits, normalize, validation_mask
from lossbench.errors import DataError, UsageError
from lossbench.records import SplitSpec
from lossbench.specs import catalog

from ..data.test_datasets import write_data_set


@pytest.mark.parametrize("size", [0, 1, 7, 50, 100, 333, 990])
def test_each_class_gives_its_share(size: int) -> None:
    labels = np.random.RandomState(1).choice(10, 1000, p=np.arange(1, 11) / 55)
    mask = validation_mask(labels, size)
    assert mask.dtype == bool
    assert mask.sum() == size
    counts = np.bincount(labels, minlength=10)
    assert (np.abs(np.bincount(labels[mask], minlength=10) - size * counts / 1000) < 1).all()


def test_equal_classes_give_equal_numbers() -> None:
    labels = np.arange(1000) % 10
    assert np.bincount(labels[validation_mask(labels, 200)]).tolist() == [20] * 10


def test_the_remainder_goes_to_the_largest_fractions() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])  # of 7: 3.5, 2.1, 1.4
    assert np.bincount(labels[validation_mask(labels, 7)]).tolist() == [4, 2, 1]


def test_the_mask_is_the_same_on_every_machine_and_for_ever() -> None:
    labels = np.arange(60_000) * 7919 % 60_000 % 10
    mask = validation_mask(labels, 5000)
    np.testing.assert_array_equal(mask, validation_mask(labels.copy(), 5000))
    np.random.seed(1)
    np.testing.assert_array_equal(mask, validation_mask(labels, 5000))
    assert np.flatnonzero(mask)[:5].tolist() == [7, 12, 14, 21, 28]
    # whoever changes this number makes every stored result incomparable
    assert hashlib.sha256(np.packbits(mask).tobytes()).hexdigest() == (
        "0695b5f7fb2a83a3e0dccc2a2d8e44a403026af56b3cfbddd078a51fca6796b8"
    )


def test_the_mask_is_spread_over_the_file() -> None:
    places = np.flatnonzero(validation_mask(np.zeros(10_000, dtype=int), 1000))
    assert 4500 < places.mean() < 5500


def test_digits_split_into_parts_that_share_no_image() -> None:
    splits = load_splits(SplitSpec("digits", 180))
    assert [len(part.labels) for part in splits] == [1253, 180, 364, 0]
    for part in splits[:3]:
        assert part.images.shape == (len(part.labels), 1, 28, 28)
        assert part.images.dtype == torch.uint8
        assert part.labels.dtype == torch.int64
        assert part.labels.unique().tolist() == list(range(10))
    whole = load_splits(SplitSpec("digits", 0))
    assert [len(part.labels) for part in whole] == [1433, 0, 364, 0]
    assert torch.equal(whole.test.images, splits.test.images)
    seen = sorted(image.numpy().tobytes() for part in splits[:2] for image in part.images)
    assert seen == sorted(image.numpy().tobytes() for image in whole.train.images)


def test_a_label_belongs_to_its_image_after_the_split() -> None:
    whole = load_splits(SplitSpec("digits", 0)).train
    label_of = {image.numpy().tobytes(): int(label) for image, label in zip(*whole, strict=True)}
    for part in load_splits(SplitSpec("digits", 180))[:2]:
        assert all(label_of[i.numpy().tobytes()] == int(y) for i, y in zip(*part, strict=True))


def test_unseen_classes_are_in_no_part_but_their_own() -> None:
    whole, splits = (
        load_splits(SplitSpec("digits", 180)),
        load_splits(SplitSpec("digits", 120, unseen=(3, 7))),
    )
    label_of = {i.numpy().tobytes(): int(y) for part in whole for i, y in zip(*part, strict=True)}
    names = [0, 1, 2, 4, 5, 6, 8, 9, 3, 7]
    for part in splits:
        assert [names[y] for y in part.labels] == [label_of[i.numpy().tobytes()] for i in part.images]
    for part in splits[:3]:
        assert part.labels.unique().tolist() == list(range(8))
    assert splits.unseen.labels.unique().tolist() == [8, 9]
    in_test = [i.numpy().tobytes() for i, y in zip(*whole.test, strict=True) if y in (3, 7)]
    assert sorted(i.numpy().tobytes() for i in splits.unseen.images) == sorted(in_test)


def test_what_unseen_images_show_changes_nothing_that_training_sees(tmp_path: Path) -> None:
    labels = torch.arange(60) % 10
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        write_data_set(folder, "FashionMNIST", labels=labels)
    for name in ("train", "t10k"):
        path = after / "FashionMNIST" / "raw" / f"{name}-images-idx3-ubyte"
        content = np.frombuffer(path.read_bytes(), np.uint8).copy()
        images = content[16:].reshape(-1, 28, 28)
        images[np.arange(len(images)) % 10 >= 8] ^= 255
        path.write_bytes(content.tobytes())
    one, other = (
        load_splits(SplitSpec("fashion-mnist", 16, unseen=(8, 9)), folder) for folder in (before, after)
    )
    for part, same in zip(one[:3], other[:3], strict=True):
        assert torch.equal(part.images, same.images) and torch.equal(part.labels, same.labels)
    assert not torch.equal(one.unseen.images, other.unseen.images)


def test_eval_split_validation_the_test_files_are_not_even_opened(tmp_path: Path) -> None:
    write_data_set(tmp_path, "FashionMNIST", labels=torch.arange(50) % 10)
    for path in tmp_path.rglob("t10k*"):
        path.unlink()
    splits = load_splits(SplitSpec("fashion-mnist", 10, eval_split="val"), tmp_path)
    assert [len(part.labels) for part in splits] == [40, 10, 0, 0]
    with pytest.raises(DataError, match="t10k"):
        load_splits(SplitSpec("fashion-mnist", 10), tmp_path)


@pytest.mark.parametrize("size", [1424, 1433, 10**9])
def test_a_validation_split_that_leaves_too_little_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match=f"--val-size {size} leaves too little of 1433 training images\\.$"):
        load_splits(SplitSpec("digits", size))


@pytest.mark.parametrize("size", [1, 1423])
def test_the_smallest_and_the_largest_validation_split(size: int) -> None:
    splits = load_splits(SplitSpec("digits", size))
    assert [len(part.labels) for part in splits] == [1433 - size, size, 364, 0]


def test_labels_outside_the_classes_are_refused(tmp_path: Path) -> None:
    write_data_set(tmp_path, "FashionMNIST", labels=torch.arange(50) % 10)
    assert len(load_splits(SplitSpec("fashion-mnist", 10), tmp_path).val.labels) == 10
    bad = tmp_path / "bad"
    write_data_set(bad, "FashionMNIST", labels=torch.arange(50) % 11)
    with pytest.raises(
        DataError, match="^fashion-mnist has labels outside its 10 classes, or none at all\\.$"
    ):
        load_splits(SplitSpec("fashion-mnist", 10), bad)


def test_pixels_become_numbers_around_zero() -> None:
    pixels = torch.tensor([0, 1, 127, 128, 255], dtype=torch.uint8).view(5, 1, 1, 1)
    values = normalize(pixels, catalog.spec("data", "mnist"))
    assert values.dtype == torch.float32
    assert values.flatten().tolist() == [-0.99609375, -0.98828125, -0.00390625, 0.00390625, 0.99609375]


def test_each_channel_has_its_own_mean_and_deviation() -> None:
    spec = dataclasses.replace(
        catalog.spec("data", "mnist"), shape=(3, 2, 2), mean=(100.0, 50.0, 0.0), deviation=(2.0, 10.0, 255.0)
    )
    pixels = torch.full((4, 3, 2, 2), 200, dtype=torch.uint8)
    expected = torch.tensor([50.0, 15.0, 200 / 255]).view(1, 3, 1, 1).expand(4, 3, 2, 2)
    torch.testing.assert_close(normalize(pixels, spec), expected)
    assert pixels.eq(200).all()


def test_images_of_another_shape_than_declared_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = dataclasses.replace(catalog.spec("data", "digits"), shape=(1, 28, 27))
    monkeypatch.setattr(catalog, "spec", lambda kind, name: declared)
    with pytest.raises(
        DataError, match=r"digits has images of shape \(1, 28, 28\); its SPEC says \(1, 28, 27\)"
    ):
        load_splits(SplitSpec("digits", 181))


def test_where_data_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSBENCH_DATA", "/somewhere")
    assert data_folder() == Path("/somewhere")
    assert data_folder(tmp_path) == tmp_path
    for empty in ("", None):
        monkeypatch.setenv("LOSSBENCH_DATA", "") if empty == "" else monkeypatch.delenv("LOSSBENCH_DATA")
        assert data_folder().name == "lossbench"


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know, as in many containers."""

    def unknown(_: object) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CACHE_HOME", "LOSSBENCH_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("no_home")
@pytest.mark.parametrize("folder", [None, Path("/nowhere")])
def test_digits_need_no_home_directory(folder: Path | None) -> None:
    assert len(load_splits(SplitSpec("digits", 179), folder).train.labels) == 1433 - 179


@pytest.mark.usefixtures("no_home")
def test_files_without_a_home_directory_are_a_sentence_with_a_way_out() -> None:
    with pytest.raises(
        DataError,
        match=r"^There is no home directory for the data; name a folder with --data-dir or \$LOSSBENCH_DATA, or use --dataset digits, which needs no files\.$",
    ):
        load_splits(SplitSpec("mnist", 5001))


@pytest.mark.usefixtures("no_home")
def test_a_cache_folder_that_is_not_resolved_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: "~/.cache/lossbench")
    with pytest.raises(DataError, match="no home directory"):
        data_folder()
