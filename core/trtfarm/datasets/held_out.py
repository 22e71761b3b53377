"""Verification data: samples that were not used for calibration, with labels where there are some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trtfarm.datasets.content import array_file
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.files import looking_for_data
from trtfarm.datasets.folder import found_in, has_spec
from trtfarm.datasets.named import in_folder, named
from trtfarm.datasets.sources import Source
from trtfarm.datasets.specified import as_specified
from trtfarm.errors import DataError, UsageError
from trtfarm.models.model import Model

#: The folder beside calibration data that is looked for.
TEST_FOLDER = "test"


def held_out(
    calibration: Source | None,
    model: Model,
    *,
    test_data: Sequence[str] = (),
    labels: str | None = None,
    working_folder: Path = Path(),
) -> Source | None:
    """The data that `--test-data` and `--labels` name, else that in `test/` beside the calibration data, or None.

    Where the test data has no specification, the preprocessing of the calibration data holds for it too (but not that
    of images for arrays), and in `test/` its paths as well unless `<input>.npy` files are there. `calibration` is None
    where nothing is calibrated with. Raises UsageError and DataError.
    """
    if test_data:
        like = calibration.inputs if calibration else None
        source = named(test_data, model.summary.inputs, option="--test-data", working_folder=working_folder, like=like)
    elif calibration is not None and (calibration.folder / TEST_FOLDER).is_dir():
        source = _in_test_folder(calibration.folder / TEST_FOLDER, calibration, model)
    elif labels is None:
        return None
    else:
        raise UsageError(
            "--labels is given without test data",
            remedy=f"add --test-data, or put data into a folder {TEST_FOLDER}/ beside the calibration data",
        )
    if labels is None:
        return source
    with looking_for_data():
        return replace(source, labels=array_file(working_folder / labels))


def check_apart(calibration: DataSet, test: DataSet) -> None:
    """Raises DataError where the arrays of both are the same files, which takes no look into them."""
    if [array.digest for array in calibration.inputs.values()] == [array.digest for array in test.inputs.values()]:
        raise nothing_held_out()


def nothing_held_out() -> DataError:
    return DataError(
        "all test samples are among the calibration samples",
        cause="the accuracy would be measured on what the ranges were chosen for",
        remedy="hand in other samples with --test-data",
    )


def _in_test_folder(folder: Path, calibration: Source, model: Model) -> Source:
    inputs = model.summary.inputs
    if calibration.spec is None or has_spec(folder) or found_in(folder, inputs):
        return in_folder(folder, inputs, calibration.inputs)
    return as_specified(replace(calibration.spec, samples=None), folder, inputs)
