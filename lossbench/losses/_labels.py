"""The features, labels and weights of samples that a loss accepts."""

import torch
from torch import Tensor

from ..errors import UsageError

_INTEGERS = {
    torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64,
}  # fmt: skip


def check_features(features: object, dim: int | None) -> None:
    """Raises UsageError unless features are a tensor (..., D) of real numbers; None: of any D."""
    if not isinstance(features, Tensor):
        raise UsageError(f"Features are a torch.Tensor; these have the type {type(features).__name__}.")
    if features.dtype.is_complex or not features.dim() or (dim and features.shape[-1] != dim):
        raise _features_error(features, dim)


def check_labels(labels: Tensor, features: Tensor, classes: int | None) -> Tensor:
    """The labels (B,) of features (B, D) as int64.

    Raises UsageError for features of another shape, and for labels that are not integers, have another shape,
    are on another device or outside 0 ... classes-1 (None: any integers). The range is not checked under
    torch.compile or while a CUDA graph is captured. On CUDA the device checks it, because to read it here
    would wait for the device.
    """
    if not isinstance(labels, Tensor):
        raise UsageError(f"Labels are a torch.Tensor; these have the type {type(labels).__name__}.")
    if features.dim() != 2:
        raise _features_error(features, features.shape[-1])
    if labels.device != features.device:
        raise UsageError(f"Labels are on the device {labels.device}, features on {features.device}.")
    if labels.dtype not in _INTEGERS or labels.shape != features.shape[:1]:
        raise _error(labels, features, classes)
    numbers = labels.long()
    if classes is None or not len(labels) or torch.compiler.is_compiling():
        return numbers
    if labels.is_cuda:
        if not torch.cuda.is_current_stream_capturing():
            inside = (numbers >= 0) & (numbers < classes)
            torch._assert_async(inside.all(), f"labels outside 0 ... {classes - 1}")
        return numbers
    try:
        low, high = (bound.item() for bound in numbers.aminmax())
    except RuntimeError:  # a batch of labels under vmap, or no numbers at all (meta, fake tensors)
        return numbers
    if low < 0 or high >= classes:
        raise _error(labels, features, classes)
    return numbers


def check_weights(weights: object, features: Tensor) -> Tensor:
    """The weights of samples (B,), a tensor or what becomes one, on the device of features (B, D).

    Raises UsageError for anything else.
    """
    try:
        tensor = torch.as_tensor(weights, device=features.device)
    except (TypeError, ValueError, RuntimeError):  # from lists of text, dictionaries and so on
        tensor = None
    if tensor is None or tensor.is_complex():
        raise UsageError(f"sample_weight is a real number for each of the {len(features)} samples.")
    if tensor.shape != features.shape[:1]:
        raise UsageError(f"sample_weight has the shape {tuple(tensor.shape)} for {len(features)} samples.")
    return tensor


def _error(labels: Tensor, features: Tensor, classes: int | None) -> UsageError:
    allowed = "any integers" if classes is None else f"integers in 0 ... {classes - 1}"
    ordered = labels.numel() and not labels.dtype.is_complex and not labels.is_meta
    numbers = labels.long() if labels.dtype in _INTEGERS else labels  # not all of these have min and max
    values = f" from {numbers.min()} to {numbers.max()}" if ordered else ""
    return UsageError(
        f"Labels are {allowed}, one for each of the {len(features)} samples; "
        f"these have the type {str(labels.dtype).removeprefix('torch.')} and the shape "
        f"{tuple(labels.shape)}{values}."
    )


def _features_error(features: Tensor, dim: int | None) -> UsageError:
    return UsageError(
        f"Features are real numbers of the shape (B, {dim or 'D'}); these have the type "
        f"{str(features.dtype).removeprefix('torch.')} and the shape {tuple(features.shape)}."
    )
