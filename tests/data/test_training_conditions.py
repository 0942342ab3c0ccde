"""Training conditions: what they keep, what they change, what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lossbench.data import Splits, load_splits, under_conditions
from lossbench.data._stratified import validation_mask
from lossbench.errors import UsageError
from lossbench.randomness import derived_seed
from lossbench.records import SplitSpec, TrainingConditions
from lossbench.runs.config_builder import make_config
from lossbench.runs.stored_config import config_from_dict

from ..helpers.runs import run, small

SPLITS = load_splits(SplitSpec("digits", 180))


def changed(seed: int = 0, **conditions: float | str) -> Splits:
    return under_conditions(SPLITS, TrainingConditions(**conditions), seed)  # type: ignore[arg-type]


def counts(splits: Splits) -> list[int]:
    return torch.bincount(splits.train.labels, minlength=10).tolist()


def test_without_conditions_nothing_is_copied():
    assert under_conditions(SPLITS, TrainingConditions(), 0) is SPLITS


@pytest.mark.parametrize(
    "conditions", [{"train_size": 100}, {"imbalance": 10.0}, {"label_noise": 0.4}], ids=str
)
def test_only_the_training_split_changes_and_by_seed(conditions):
    first, again, other = changed(0, **conditions), changed(0, **conditions), changed(1, **conditions)
    assert first[1:] == SPLITS[1:]
    assert torch.equal(first.train.images, again.train.images)
    assert torch.equal(first.train.labels, again.train.labels)
    same_images = torch.equal(first.train.images, other.train.images)
    assert not (same_images and torch.equal(first.train.labels, other.train.labels))


def test_fewer_images_keep_the_proportions_of_the_classes():
    found = changed(train_size=100)
    expected = 100 * np.bincount(SPLITS.train.labels) / len(SPLITS.train.labels)
    assert np.abs(np.array(counts(found)) - expected).max() < 1
    assert len(found.train.labels) == len(found.train.images) == 100


def test_an_image_keeps_its_label_unless_labels_are_noisy():
    found = changed(train_size=100, imbalance=5.0).train
    place = {image.numpy().tobytes(): label for image, label in zip(*SPLITS.train, strict=True)}
    assert all(place[image.numpy().tobytes()] == label for image, label in zip(*found, strict=True))


def test_classes_fall_exponentially_to_one_in_so_many():
    before, after = counts(SPLITS), counts(changed(imbalance=16.0))
    for label in range(10):
        assert after[label] == round(before[label] * 16 ** (-label / 9))
    assert after[0] == before[0]
    assert min(counts(changed(imbalance=1e6))) == 1


@pytest.mark.parametrize("kind", ["symmetric", "pair"])
def test_a_fraction_of_the_labels_of_each_class_is_wrong(kind):
    noisy = changed(label_noise=0.4, noise_kind=kind)
    assert torch.equal(noisy.train.images, SPLITS.train.images)
    for label in range(10):
        given = noisy.train.labels[SPLITS.train.labels == label]
        assert int((given != label).sum()) == round(0.4 * len(given))
        wrong = set(given[given != label].tolist())
        assert wrong == ({(label + 1) % 10} if kind == "pair" else set(range(10)) - {label})


def test_draws_of_stored_runs_stay_what_they_were():
    """The numbers are drawn class by class from generators of these names."""
    labels, digits = SPLITS.train.labels, SPLITS.train.images
    noise = torch.Generator().manual_seed(derived_seed(3, "label noise"))
    fewer = torch.Generator().manual_seed(derived_seed(3, "imbalance"))
    noisy, kept = labels.clone(), torch.zeros(len(labels), dtype=torch.bool)
    for label in range(10):
        members = torch.nonzero(labels == label).flatten()
        wrong = members[torch.randperm(len(members), generator=noise)[: round(0.4 * len(members))]]
        noisy[wrong] = (label + torch.randint(1, 10, (len(wrong),), generator=noise)) % 10
        order = torch.randperm(len(members), generator=fewer)
        kept[members[order[: round(16 ** (-label / 9) * len(members))]]] = True
    assert torch.equal(changed(3, label_noise=0.4).train.labels, noisy)
    assert torch.equal(changed(3, imbalance=16.0).train.images, digits[kept])
    mask = validation_mask(labels.numpy(), 100, derived_seed(3, "train size") % 2**32)
    assert torch.equal(changed(3, train_size=100).train.images, digits[torch.from_numpy(mask)])


def test_noise_is_of_what_imbalance_leaves():
    found = changed(train_size=500, imbalance=10.0, label_noise=1.0, noise_kind="pair")
    left = counts(changed(train_size=500, imbalance=10.0))
    assert counts(found) == [left[-1], *left[:-1]]


def test_what_cannot_be_is_a_wrong_call():
    with pytest.raises(UsageError, match="--train-size 99999 is more than the"):
        changed(train_size=99999)
    for option, value in (("label_noise", 1.1), ("label_noise", -0.1), ("imbalance", 0.5), ("train_size", 9)):
        with pytest.raises(UsageError, match=option.replace("_", "-")):
            make_config(dataset="digits", **{option: value})


def test_conditions_are_part_of_the_run_and_their_absence_is_not():
    plain = small("softmax")
    assert "label_noise" not in plain.to_dict()
    assert small("softmax", noise_kind="pair").id == plain.id
    ids = {plain.id}
    for options in (
        {"label_noise": 0.4},
        {"label_noise": 0.4, "noise_kind": "pair"},
        {"imbalance": 10.0},
        {"train_size": 400},
    ):
        config = small("softmax", **options)
        assert config_from_dict(config.to_dict()) == config
        ids.add(config.id)
    assert len(ids) == 5


def test_a_run_trains_on_them_and_counts_the_classes_it_has(tmp_path):
    from lossbench.runs.store import Store
    from lossbench.runs.stored_run import StoredRun

    config = small("logit-adjusted", imbalance=4.0, label_noise=0.2, epochs=1, batch_size=50)
    run(config, tmp_path)
    stored = StoredRun(Store(tmp_path).run(config))
    expected = under_conditions(SPLITS, config.training_conditions, config.seed).train
    assert stored.splits["train"].labels.tolist() == expected.labels.tolist()
    assert np.array_equal(stored.images("train"), expected.images.numpy())
    assert len(stored.splits["test"].labels) == len(SPLITS.test.labels)
