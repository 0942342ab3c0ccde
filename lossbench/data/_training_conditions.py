"""Conditions under which a run trains: fewer training samples, unequal classes, wrong labels.

Only the training split changes, in this order, and what is drawn depends on the run's seed. Validation and
test samples stay as they are.
"""

import torch
from torch import Tensor

from ..errors import UsageError
from ..randomness import derived_seed
from ..records import LabelledImages, TrainingConditions
from ._splits import Splits
from ._stratified import validation_mask


def under_conditions(splits: Splits, conditions: TrainingConditions, seed: int) -> Splits:
    """The splits with the training split that a run of this seed has.

    Raises UsageError for more training samples than there are.
    """
    if conditions == TrainingConditions():
        return splits
    train = splits.train
    labels = train.labels.cpu()
    kept = torch.arange(len(labels))
    if conditions.train_size > len(labels):
        raise UsageError(
            f"--train-size {conditions.train_size} is more than the {len(labels)} training images there are."
        )
    if conditions.train_size:
        size_seed = derived_seed(seed, "train size") % 2**32
        kept = kept[torch.from_numpy(validation_mask(labels.numpy(), conditions.train_size, size_seed))]
    if conditions.imbalance > 1:
        kept = kept[_imbalanced(labels[kept], conditions.imbalance, _generator(seed, "imbalance"))]
    labels = labels[kept]
    if conditions.label_noise:
        pair = conditions.noise_kind == "pair"
        labels = _noisy(labels, conditions.label_noise, pair, _generator(seed, "label noise"))
    images = train.images[kept.to(train.images.device)]
    return splits._replace(train=LabelledImages(images, labels.to(train.labels.device)))


def _generator(seed: int, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(derived_seed(seed, purpose))


def _imbalanced(labels: Tensor, ratio: float, generator: torch.Generator) -> Tensor:
    """True for what is kept (N,): class j of C keeps the share ratio^(-j / (C - 1)) of its samples, at least
    one (Cui et al. 2019, long-tailed CIFAR)."""
    classes = int(labels.max()) + 1
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(classes):
        members = torch.nonzero(labels == label).flatten()
        share = ratio ** (-label / max(1, classes - 1))
        order = torch.randperm(len(members), generator=generator)
        mask[members[order[: max(1, round(share * len(members)))]]] = True
    return mask


def _noisy(labels: Tensor, fraction: float, pair: bool, generator: torch.Generator) -> Tensor:
    """Labels (N,) of which this fraction of each class is another class: the next one for `pair`, else any
    other with equal chance (Patrini et al. 2017, Han et al. 2018)."""
    classes = int(labels.max()) + 1
    noisy = labels.clone()
    for label in range(classes):
        members = torch.nonzero(labels == label).flatten()
        order = torch.randperm(len(members), generator=generator)
        wrong = members[order[: round(fraction * len(members))]]
        steps = torch.randint(1, classes, (len(wrong),), generator=generator)
        noisy[wrong] = (label + (torch.ones_like(steps) if pair else steps)) % classes
    return noisy
