"""The calibration data: one array per input of the model, cut into the batches that TensorRT would ask for."""

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.arrays import ArrayFile, open_array
from trtfarm_builder.failures import BadDataError, BadRequestError
from trtfarm_builder.reference.network import Input

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
}


@dataclass(frozen=True)
class Samples:
    """Arrays by input name, all with the same number of samples."""

    arrays: Dict[str, ArrayFile]

    @property
    def count(self) -> int:
        return min(array.samples for array in self.arrays.values())

    def read(self, start: int, stop: int) -> Dict[str, NDArray[Any]]:
        return {name: array.read(start, stop) for name, array in self.arrays.items()}


def open_samples(inputs: Sequence[Input], specs: Mapping[str, Dict[str, Any]]) -> Samples:
    """Opens the arrays and checks them against the model's inputs. Raises BadDataError naming the input."""
    wanted = {item.name: item for item in inputs}
    missing, unknown = sorted(wanted.keys() - specs.keys()), sorted(specs.keys() - wanted.keys())
    if missing or unknown:
        raise BadDataError(
            "the data are for inputs {}, the model has {}".format(sorted(specs), sorted(wanted)),
            remedy="name each array after the input it is for",
        )
    if not wanted:
        raise BadDataError("the model has no inputs, so there is nothing to calibrate with")
    arrays = {name: open_array(name, specs[name]) for name in wanted}
    for name, array in arrays.items():
        _check_fit(wanted[name], array)
    counts = {name: array.samples for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise BadDataError("the inputs have different numbers of samples: {}".format(counts))
    return Samples(arrays)


def fixed_batch(inputs: Sequence[Input]) -> Optional[int]:
    """The batch size that the model is fixed to, or None where it takes any."""
    sizes = {item.shape[0] for item in inputs if item.shape and item.shape[0] is not None}
    return max(sizes) if sizes else None


def check_batch_size(inputs: Sequence[Input], batch_size: int, samples: int) -> None:
    """Raises BadRequestError where the model is fixed to another batch size, BadDataError where no batch is full."""
    fixed = fixed_batch(inputs)
    if fixed not in (None, batch_size):
        raise BadRequestError(
            "the model takes batches of {}, not of {}".format(fixed, batch_size),
            cause="its first input dimension is fixed",
            remedy="use a batch size of {}, or export the model with a free batch dimension".format(fixed),
        )
    if samples < batch_size:
        raise BadDataError(
            "{} samples do not fill one batch of {}".format(samples, batch_size),
            cause="TensorRT calibrates on full batches only",
            remedy="use a smaller batch size or more samples",
        )


def batch_starts(share: Sequence[int], count: int, batch_size: int) -> range:
    """First samples of the full batches in a share [start, stop) of `count` samples.

    What is left at the end of the samples is dropped, because TensorRT asks for full batches. Raises BadRequestError
    where the share does not begin and end with batches.
    """
    start, stop = share
    whole = start % batch_size == 0 and (stop % batch_size == 0 or stop == count)
    if not whole or not 0 <= start <= stop - batch_size <= count - batch_size:
        raise BadRequestError(
            "a share from sample {} to {} of {} is not made of batches of {}".format(start, stop, count, batch_size),
            remedy="cut the data where batches end",
        )
    return range(start, stop - batch_size + 1, batch_size)


def _check_fit(item: Input, array: ArrayFile) -> None:
    if array.dtype != np.dtype(_dtype(item)):
        raise BadDataError(
            "input {!r} takes {}, its data are {}".format(item.name, _dtype(item), array.dtype),
            remedy="prepare the data with the input's type",
        )
    fits = len(array.shape) == len(item.shape) and all(
        size is None or size == have for size, have in zip(item.shape[1:], array.shape[1:])
    )
    if item.shape and not fits:
        shown = ["any" if size is None else size for size in item.shape]
        raise BadDataError("input {!r} takes shape {}, its data are {}".format(item.name, shown, list(array.shape)))


def _dtype(item: Input) -> str:
    word = _DTYPES.get(item.dtype) or item.dtype.replace("tensor(", "").rstrip(")")
    if not hasattr(np, word):
        raise BadDataError("input {!r} is a {}, which .npy files cannot hold".format(item.name, item.dtype))
    return word
