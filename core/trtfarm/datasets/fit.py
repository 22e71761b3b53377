"""Whether data fits a model, a batch size and a profile, by its shapes and counts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.errors import DataError, UsageError
from trtfarm.models.shapes import OptimizationProfile
from trtfarm.models.summary import TensorType

#: Samples in a batch when nobody says: TensorRT's samples use 50.
DEFAULT_BATCH_SIZE = 50


def check_shape(name: str, shape: tuple[int, ...], tensor: TensorType) -> None:
    """Raises DataError unless samples first and then the input's dimensions stand in `shape`."""
    dims = tensor.dims
    if dims is None:
        return
    if not dims:
        raise DataError(
            f"the model's input {tensor.name} is a single number, so it has no axis for samples",
            remedy="make it a constant of the model (an initializer)",
        )
    fits = len(shape) == len(dims) and all(
        dim == size or not isinstance(dim, int) for dim, size in zip(dims[1:], shape[1:], strict=True)
    )
    if not fits:
        raise DataError(
            f"{name} has the shape {'x'.join(map(str, shape))}, but the model's input is {tensor}",
            remedy="the first axis is the samples, the others are as the model has them",
        )


def check_counts(arrays: Mapping[str, Array], labels: Array | None) -> None:
    """Raises DataError unless all inputs, and the labels, have the same number of samples."""
    counts = {name: array.samples for name, array in arrays.items()}
    if labels is not None:
        counts["the labels"] = labels.samples
    if len(set(counts.values())) > 1:
        raise DataError(
            "the numbers of samples differ: " + ", ".join(f"{count} of {name}" for name, count in counts.items()),
            remedy="each sample needs all of them, in the same order",
        )


def check_batch_axes(inputs: Sequence[TensorType]) -> None:
    """Raises DataError for a model that has the samples of one input on the first axis, of another on a later one."""
    first = {tensor.dims[0]: tensor for tensor in inputs if tensor.dims and isinstance(tensor.dims[0], str)}
    for tensor in inputs:
        for axis, dim in enumerate(tensor.dims or ()):
            if dim in first and tensor.dims and tensor.dims[0] != dim:
                raise DataError(
                    f"no data can be handed in for the model's input {tensor}",
                    cause=f"its samples ({dim}, as of {first[dim].name}) are on axis {axis}, and data has them first",
                    remedy="export the model with the samples first, and a Transpose inside",
                )


def check_symbols(inputs: Sequence[TensorType], arrays: Mapping[str, Array]) -> None:
    """Raises DataError when a symbol that several dimensions share has several sizes, or the batch's is a later one."""
    check_batch_axes(inputs)
    sizes: dict[str, tuple[int, str]] = {}
    for tensor in inputs:
        for index, dim in enumerate(tensor.dims or ()):
            if index and isinstance(dim, str):
                size = arrays[tensor.name].shape[index]
                known, owner = sizes.setdefault(dim, (size, tensor.name))
                if known != size:
                    raise DataError(f"the model's dimension {dim!r} is {known} in {owner}, but {size} in {tensor.name}")


def batch_size_for(wanted: int | None, samples: int, inputs: Sequence[TensorType]) -> int:
    """Samples in a calibration batch: what was asked for, else the model's own where it is fixed, else 50 or less."""
    fixed = next((tensor.dims[0] for tensor in inputs if tensor.dims and isinstance(tensor.dims[0], int)), None)
    return wanted or fixed or min(DEFAULT_BATCH_SIZE, samples)


def check_batches(data: DataSet, inputs: Sequence[TensorType], batch_size: int) -> tuple[str, ...]:
    """Notices on how the samples divide into batches.

    Raises UsageError when the model has another, fixed batch size, and DataError when there is not one whole batch.
    """
    for tensor in inputs:
        fixed = tensor.dims[0] if tensor.dims else None
        if isinstance(fixed, int) and fixed != batch_size:
            raise UsageError(
                f"the model takes batches of {fixed} ({tensor}), not {batch_size}",
                remedy=f"use --batch-size {fixed}, or export the model with a batch dimension of no fixed size",
            )
    if data.samples < batch_size:
        raise DataError(
            f"there are {data.samples} samples, fewer than one batch of {batch_size}",
            remedy=f"hand in more, or use --batch-size {data.samples}",
        )
    rest = data.samples % batch_size
    if not rest:
        return ()
    return (f"the last {rest} of {data.samples} samples are less than a batch of {batch_size} and left out",)


def constant_inputs(arrays: Mapping[str, Array]) -> tuple[str, ...]:
    """Notices on inputs whose data are one value throughout.

    Masks and kinds of tokens may well be, so whole numbers only count where no input has anything else.
    """
    constant = {name: array.constant for name, array in arrays.items() if array.constant is not None}
    all_of_them = len(constant) == len(arrays)
    return tuple(
        f"warning: every value of the input {name} is {value:g}, and INT8 ranges and accuracy measured on that say "
        "nothing of real data; see how it was loaded and preprocessed, and hand in real samples"
        for name, value in constant.items()
        if all_of_them or "float" in arrays[name].dtype
    )


def check_profile(data: DataSet, profile: OptimizationProfile) -> None:
    """Raises DataError when the samples have a size that the engine would not take; batches may be of any size."""
    for name, array in data.inputs.items():
        shapes = profile.inputs[name]
        if not shapes.admits((shapes.optimum[0], *array.shape[1:])):
            raise DataError(
                f"{name} has samples of {'x'.join(map(str, array.shape[1:]))}, and the engine is to take "
                f"{'x'.join(map(str, shapes.minimum[1:]))} to {'x'.join(map(str, shapes.maximum[1:]))}",
                remedy="change --shape, or hand in data like that which the engine will meet",
            )
