"""What orders stand for: the model, data that no other order has, and what is asked of the farm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.chaos.orders import BATCH_SIZE, Order
from tests.conftest import REPOSITORY
from trtfarm.calibrators import CalibrationRule
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.digests import digest_of_file
from trtfarm.submission_request import SubmissionRequest
from trtfarm.targets import BuildTarget

TENSORRT = "1.7.1.116"
#: There is no such release: its builds are trivial.
LIGHT_TENSORRT = "1.7.1.999"
_MNIST = REPOSITORY / "calib_data" / "mnist"
MODEL = _MNIST / "lenet.onnx"


def prepared(order: Order, folder: Path) -> tuple[DataSet | None, DataSet | None]:
    """Calibration data, and what is verified with."""
    if order.calibrator is None:
        return None, None
    digits, chance = np.load(_MNIST / "data.npy"), np.random.default_rng(order.data)
    chosen = digits[chance.choice(len(digits), order.samples, replace=False)]
    noisy = chosen + chance.normal(0, 0.01, chosen.shape).astype(np.float32)
    test = _data_set(folder, "held-out", np.load(_MNIST / "test" / "data.npy")[:32]) if order.verified else None
    return _data_set(folder, f"digits-{order.data}", noisy), test


def _data_set(folder: Path, name: str, values: np.ndarray[Any, Any]) -> DataSet:
    path = folder / f"{name}.npy"
    np.save(path, values)
    array = Array(path=path, dtype=str(values.dtype), shape=values.shape, digest=digest_of_file(path))
    return DataSet(inputs={"data": array}, labels=None, preprocessing={}, source=name)


def request_of(order: Order, model: str, data: str | None, test: str | None) -> SubmissionRequest:
    """What an order asks for, by the ids of what it names."""
    calibrator, tensorrt = order.calibrator, LIGHT_TENSORRT if order.light else TENSORRT
    sample = [1, 28, 28]
    return SubmissionRequest(
        model_id=model,
        precision="int8" if calibrator else "fp32",
        targets=tuple(
            BuildTarget(compute_capability=capability, toolchain="tensorrt-rtx", tensorrt=tensorrt)
            for capability in order.capabilities
        ),
        rule=CalibrationRule.of(calibrator, batch_size=BATCH_SIZE) if calibrator else None,
        dataset_id=data,
        test_dataset_id=test,
        shards=order.shards,
        require_labels=order.labels,
        profiles={"data": {"min": [1, *sample], "opt": [1, *sample], "max": [order.batch, *sample]}},
    )
