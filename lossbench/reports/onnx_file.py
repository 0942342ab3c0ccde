"""The network of a run as an ONNX file, with class scores, checked by onnxruntime on images of the run."""

import inspect
import json
import logging
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .. import __version__
from ..data import normalize
from ..errors import RunError, UsageError, first_line
from ..losses import WeightedSum, class_scores
from ..runs.stored_run import StoredRun
from ..specs.plugins import folder_and_streams_kept
from .generated_files import check_generated, write_generated

TOLERANCE = 1e-4
"""The largest difference to PyTorch that a file may have, relative to the largest number of an output."""
CHECKED_IMAGES = 1000
_NORMALIZATION = "(value - mean) / deviation, for each channel; pixels are from 0 to 255"


class OnnxFile(NamedTuple):
    """A file that was written and checked.

    outputs: `features` (N, D) and, unless left out, `scores` (N, C), of the input `images` (N, channels,
    height, width) or (N, D0), float32 and normalized. images: how many were checked. difference: the largest
    one to PyTorch, relative to the largest number of the output. same_predictions: the fraction of these
    images that have the class that the run predicted; None without scores. left_out: why there are no scores.
    """

    path: Path
    outputs: tuple[str, ...]
    images: int
    difference: float
    same_predictions: float | None
    left_out: str = ""


class _Exported(nn.Module):
    """Normalized images to features and, where a loss is given, class scores by the rule of the run."""

    def __init__(
        self, network: nn.Module, loss: WeightedSum | None = None, means: Tensor | None = None, rule: str = ""
    ) -> None:
        super().__init__()
        self.network, self.loss, self.means, self.rule = network, loss, means, rule

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self.network(images)
        if self.loss is None:
            return (features,)
        # the exporter does not know torch.cdist, by which `class_scores` computes these
        if self.means is not None and self.rule == "nearest class mean":
            return features, -torch.linalg.vector_norm(features.unsqueeze(1) - self.means, dim=2)
        return features, inspect.unwrap(class_scores)(self.loss, features, self.means, self.rule)


def export(run: StoredRun, path: Path) -> OnnxFile:
    """Write the network of a run, and the class scores by which it predicts.

    The metadata of the file are texts: `run`, `loss`, `dataset`, and in JSON `classes` (names in the order of
    the scores), `mean` and `deviation` of each channel; `normalization` says what to do with these. Scores
    of a user's loss run its code. They are left out where that cannot be imported, has changed since the
    training, or cannot be exported. After training in bfloat16 the features differ more from the stored ones
    than from PyTorch's in float32, with which the check compares.

    Raises UsageError without the extra `onnx` or for another suffix, RunError where the numbers of the file
    differ from PyTorch's, ForeignFile where another file, not written by lossbench, is at the path.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        raise UsageError(
            "Export needs onnx, onnxruntime and onnxscript: pip install 'lossbench[onnx]'."
        ) from None
    if path.suffix != ".onnx":
        raise UsageError(f"--output {path}: the file name must end in .onnx.")
    check_generated(path)
    network = run.load_network()
    split = run.config.eval_split
    images = run.samples(split)[:CHECKED_IMAGES]
    inputs = normalize(images, network.spec)
    left_out = ""
    try:
        module = _Exported(network.network, run.loss, run.training_means, run.result.rule).eval()
        content, expected = _exported(module, inputs, _metadata(run))
    except Exception as error:  # anybody's code
        if not run.external:
            raise
        left_out = first_line(error)
        content, expected = _exported(_Exported(network.network).eval(), inputs, _metadata(run))
    outputs = ("features", "scores")[: len(expected)]
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        computed = session.run(list(outputs), {"images": inputs.numpy()})
    except Exception as error:  # of a library in C++
        raise RunError(f"onnxruntime cannot run the network of {run.name}: {first_line(error)}") from None
    difference = max(
        float(np.abs(a - b).max() / max(1.0, float(np.abs(b).max())))
        for a, b in zip(computed, expected, strict=True)
    )
    if not difference <= TOLERANCE:
        raise RunError(
            f"{run.name} as ONNX differs from PyTorch by {difference:.1g}, more than {TOLERANCE:g}; "
            "nothing is written."
        )
    write_generated(path, content)
    same = None
    if len(computed) == 2:
        predicted = np.array(run.config.labels)[computed[1].argmax(1)]
        same = float((predicted == run.splits[split].predictions[: len(images)]).mean())
    return OnnxFile(path, outputs, len(images), difference, same, left_out)


@folder_and_streams_kept()
def _exported(module: nn.Module, inputs: Tensor, metadata: dict[str, str]) -> tuple[bytes, list[np.ndarray]]:
    """The model for any number of images, and what PyTorch computes from `inputs`."""
    with torch.inference_mode():
        expected = [output.numpy() for output in module(inputs)]
    return _model_bytes(module, inputs[:2], ("features", "scores")[: len(expected)], metadata), expected


def _model_bytes(
    module: nn.Module, example: Tensor, outputs: tuple[str, ...], metadata: dict[str, str]
) -> bytes:
    """The model for any number of images."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own parts
            program: Any = torch.onnx.export(
                module,
                (example,),
                input_names=["images"],
                output_names=list(outputs),
                dynamic_shapes={"images": {0: torch.export.Dim("N")}},
                dynamo=True,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    model = program.model_proto
    graph = model.graph  # without where in the code each part comes from
    for part in (graph, *graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.producer_name, model.producer_version = "lossbench", __version__
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    return content


def _metadata(run: StoredRun) -> dict[str, str]:
    config, spec = run.config, run.load_network().spec
    names = [spec.classes[label] for label in run.trained]
    return {
        "run": run.name,
        "loss": " ".join(filter(None, [run.title, run.subtitle])),
        "dataset": config.dataset,
        "classes": json.dumps(names),
        "normalization": _NORMALIZATION,
        "mean": json.dumps(list(spec.mean)),
        "deviation": json.dumps(list(spec.deviation)),
    }
