"""The arithmetic on values: from a chunk of stored samples to a chunk of what the model takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trtfarm.datasets.preprocessing import Preprocessing
from trtfarm.datasets.streams import Samples
from trtfarm.errors import DataError
from trtfarm.models.summary import TensorType

_NUMBERS = frozenset("biuf")


_NOT_FINITE = "remove or repair it: one such value spoils the ranges of all tensors after it"
_NOT_EXACT = "hand in values of that type, or repair what makes others"
_NO_LABELS = "labels are whole numbers: the class of each sample, counted from 0"


class UnfitValuesError(Exception):
    """`index` is the first sample of the chunk whose values cannot be used, and `reason` says why."""

    def __init__(self, index: int, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason
        self.remedy = remedy


def input_dtype(tensor: TensorType) -> np.dtype[Any]:
    """The NumPy type of an input; raises DataError where NumPy has none."""
    try:
        dtype = np.dtype(tensor.dtype)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in _NUMBERS:
        raise DataError(
            f"no data can be handed in for the model's input {tensor}",
            cause=f"NumPy has no plain numbers of type {tensor.dtype}",
            remedy="export the model with float32 or integer inputs",
        )
    return dtype


def converter(
    name: str, stored: np.dtype[Any], shape: tuple[int, ...], tensor: TensorType, preprocessing: Preprocessing
) -> Callable[[Samples], Samples]:
    """The function that turns stored samples into the input's; it raises UnfitValuesError.

    Raises DataError when the types do not agree and `preprocessing` does not say that they should be made to.
    """
    target = input_dtype(tensor)
    if preprocessing.dtype is not None and preprocessing.dtype != target.name:
        raise DataError(
            f"{name} is to become {preprocessing.dtype}, but the model's input is {tensor}",
            remedy=f'write dtype = "{target.name}" in data.toml',
        )
    if preprocessing.computes:
        return _computing(name, shape, target, tensor, preprocessing)
    if stored.newbyteorder("=") == target:
        return finite
    if preprocessing.dtype is None:
        raise DataError(
            f"{name} holds {stored.name}, but the model's input is {tensor}",
            remedy=f"save it as {target.name} (array.astype('{target.name}')), or allow the conversion in data.toml:\n"
            f'[inputs."{tensor.name}"]\ndtype = "{target.name}"',
        )
    return lambda samples: _cast(samples, target)


def _computing(
    name: str, shape: tuple[int, ...], target: np.dtype[Any], tensor: TensorType, preprocessing: Preprocessing
) -> Callable[[Samples], Samples]:
    if target.kind != "f":
        raise DataError(
            f"divide, mean and std make fractions, but the model's input is {tensor}",
            remedy="leave them out of data.toml for this input",
        )
    work = np.dtype(np.float64) if target == np.float64 else np.dtype(np.float32)
    divide = np.array(preprocessing.divide, work)
    mean = _per_channel(name, preprocessing.mean or (0.0,), shape, preprocessing.layout).astype(work)
    std = _per_channel(name, preprocessing.std or (1.0,), shape, preprocessing.layout).astype(work)

    def compute(samples: Samples) -> Samples:
        with np.errstate(over="ignore", invalid="ignore"):
            values: Samples = samples.astype(work)
            values = (values / divide - mean) / std
        return _cast(values, target)

    return compute


def _per_channel(name: str, numbers: tuple[float, ...], shape: tuple[int, ...], layout: str) -> Samples:
    """The numbers so shaped that they apply along the channel axis of samples of shape (N, …)."""
    values = np.array(numbers)
    if len(numbers) == 1:
        return values
    axis = 1 if layout == "NCHW" else len(shape) - 1
    if len(shape) <= axis or shape[axis] != len(numbers):
        raise DataError(
            f"mean or std has {len(numbers)} numbers, but {name} is {list(shape)} with its channels as in {layout}",
            remedy="give one number, or one for each channel, and say with layout where the channels are",
        )
    return values.reshape([-1 if index == axis else 1 for index in range(len(shape))])


def _cast(samples: Samples, target: np.dtype[Any], remedy: str = _NOT_EXACT) -> Samples:
    with np.errstate(over="ignore", invalid="ignore"):
        values = samples.astype(target)
        if target.kind != "f":
            _check(np.asarray(values == samples), f"values that are no {target.name}", remedy)
    return finite(values)


def finite(samples: Samples) -> Samples:
    """The samples as they are; raises UnfitValuesError for NaN and infinity."""
    if samples.dtype.kind == "f":
        _check(np.isfinite(samples), f"values that are NaN or infinite as {samples.dtype.name}", _NOT_FINITE)
    return samples


def as_labels(samples: Samples) -> Samples:
    """Class numbers as int64; raises UnfitValuesError for what is none."""
    labels = _cast(samples, np.dtype(np.int64), _NO_LABELS)
    _check(labels >= 0, "a negative label", _NO_LABELS)
    return labels


def _check(good: Samples, reason: str, remedy: str) -> None:
    if not good.all():
        bad_samples = ~good.reshape(len(good), -1).all(axis=1)
        raise UnfitValuesError(int(np.argmax(bad_samples)), reason, remedy)
