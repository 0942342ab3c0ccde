"""How a loss classifies features: by its own class scores, or by the nearest class mean."""

import torch
from torch import Tensor

from ._geometry import normalize
from ._weighted_sum import WeightedSum, inputs_of


@torch.inference_mode()
def class_scores(loss: WeightedSum, features: Tensor, means: Tensor | None, rule: str) -> Tensor:
    """Scores (N, C), the largest of which is the prediction.

    They are the margin-free class scores of the loss, or, by `rule`, the cosine to or minus the distance to
    the class means (C, D).
    """
    classifier = loss.classifier()
    if means is None and classifier is not None:
        return classifier.logits(*inputs_of(classifier, features))
    assert means is not None, "a loss without class scores needs class means"
    if "cosine" in rule:
        return normalize(features) @ normalize(means).T
    return -torch.cdist(features, means, compute_mode="donot_use_mm_for_euclid_dist")


def class_means(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean feature of each class (C, D); infinitely far for a class without samples."""
    means = torch.full((classes, features.shape[1]), torch.inf, device=features.device)
    for label in labels.unique():
        means[label] = features[labels == label].mean(0)
    return means
