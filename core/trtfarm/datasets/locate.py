"""Finding a model's data: what `--data` names, or what lies where data is usually put."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trtfarm.datasets.filenames import file_name_of
from trtfarm.datasets.files import looking_for_data
from trtfarm.datasets.folder import found_in, has_spec
from trtfarm.datasets.named import in_folder, named
from trtfarm.datasets.sources import InputSource, Source, missing_inputs
from trtfarm.errors import DataError
from trtfarm.models.model import Model
from trtfarm.models.summary import TensorType

#: The folder that is looked in when nothing is named: in it, first the one with the model's name.
CALIBRATION_FOLDER = "calib_data"


def locate(
    arguments: Sequence[str],
    model: Model,
    *,
    working_folder: Path = Path(),
) -> Source:
    """The data that `--data` names: a folder, a specification, a file, or `input=file` for each input.

    Without any, the first of `calib_data/<model's name>`, `calib_data` (there, a specification will do) and the model's
    folder that has data for all inputs. Labels beside the data are found along with it. Raises UsageError, DataError.
    """
    if arguments:
        return named(arguments, model.summary.inputs, working_folder=working_folder)
    with looking_for_data():
        return _search(model.summary.inputs, model, working_folder)


def _search(inputs: Sequence[TensorType], model: Model, working_folder: Path) -> Source:
    base = working_folder / CALIBRATION_FOLDER
    partly: tuple[Path, dict[str, InputSource]] | None = None
    folders = (base / model.name, base, model.path.parent)
    for folder in folders:
        sources = found_in(folder, inputs)
        # Beside a model, data.json is anybody's file.
        if len(sources) == len(inputs) or (folder != model.path.parent and has_spec(folder)):
            return in_folder(folder, inputs, {})
        if sources and partly is None:
            partly = folder, sources
    if partly is not None:
        raise missing_inputs(inputs, partly[1], str(partly[0]))
    raise DataError(
        "no data to calibrate with",
        cause="looked in " + ", ".join(f"{folder}/" for folder in folders),
        remedy=f"put {', '.join(file_name_of(tensor.name) for tensor in inputs)} into {folders[0]}/ (samples first: "
        f"{', '.join(str(tensor) for tensor in inputs)}), or name the data with --data",
    )
