"""The digits are what their README says, and the network that goes with them reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

FOLDER = Path(__file__).resolve().parents[3] / "calib_data" / "mnist"


def test_digits_are_those_that_the_golden_tables_were_made_from(golden: Path) -> None:
    assert (FOLDER / "data.npy").read_bytes() == (golden / "lenet" / "calib.npy").read_bytes()
    assert (FOLDER / "lenet.onnx").read_bytes() == (golden / "lenet" / "model.onnx").read_bytes()


def test_calibration_and_test_digits_differ() -> None:
    calibration, test = np.load(FOLDER / "data.npy"), np.load(FOLDER / "test" / "data.npy")
    assert calibration.shape == (500, 1, 28, 28)
    assert calibration.dtype == test.dtype == np.float32
    assert test.min() == 0
    assert test.max() == 1
    assert not {digit.tobytes() for digit in calibration} & {digit.tobytes() for digit in test}


def test_lenet_reads_the_labelled_digits() -> None:
    digits, labels = np.load(FOLDER / "test" / "data.npy"), np.load(FOLDER / "test" / "labels.npy")
    assert labels.dtype == np.int64
    session = onnxruntime.InferenceSession(str(FOLDER / "lenet.onnx"), providers=["CPUExecutionProvider"])
    (prob,) = session.run(["prob"], {"data": digits})
    assert np.mean(prob.argmax(1) == labels) == 0.964
