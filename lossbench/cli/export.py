"""`lossbench export`: the network of a run as an ONNX file."""

from pathlib import Path
from typing import Annotated

from ._flags import DEFAULT_RESULTS, Json, Results, flag, path_flag
from ._options import DataDir
from ._output import print_json, print_message
from ._selection import Selection, make_filter, select_runs


def export(
    *,
    run: Annotated[str, flag("--run", "The run: its name, its id, or the beginning of either.", "Loss")],
    output: Annotated[Path, path_flag("--output", "The file to write, ending in .onnx.")],
    dataset: Annotated[
        str | None,
        flag(
            "--dataset", "Where your own data are now (default: where the run was trained on them).", "Data"
        ),
    ] = None,
    data_dir: DataDir = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Write the network of a run, with class scores, as an ONNX file, and check it with onnxruntime."""
    from ..reports.onnx_file import export as write
    from ..runs.store import Store

    selection = Selection((run,), make_filter(None, {} if dataset is None else {"dataset": dataset}))
    (stored,) = select_runs(Store(results), selection, data_dir=data_dir)
    file = write(stored, output)
    if json:
        print_json({"run": stored.name, **file._asdict(), "path": str(file.path)})
        return
    reason = file.left_out.rstrip(".")
    left_out = f"\nScores are left out, as the code of the loss cannot be used: {reason}." if reason else ""
    print_message(
        f"ONNX file: {file.path}\n{' and '.join(file.outputs).capitalize()} of {file.images:,} images differ "
        f"from PyTorch by at most {file.difference:.1g} of the largest number.{left_out}"
    )
