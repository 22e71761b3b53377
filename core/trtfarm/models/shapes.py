"""Optimization profiles: for each input the smallest, the best-tuned and the largest shape an engine must take.

`--shape x=1x3x224x224:8x3x224x224:32x3x224x224` gives all three, `x=8x3x224x224` one for all. Where one dimension alone
is open, its sizes are enough: `x=1:8:32`. The name may be left out when the model has one input.

What is not said is filled in, in this order: fixed dimensions from the model; a symbol from another input that has it;
an open first dimension from the first dimension of an input that was given, else BATCH. Any other open dimension must
be given, because the farm cannot know which lengths or sizes an engine will meet.

An input that is named several times asks for several profiles in one engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from trtfarm.errors import UsageError
from trtfarm.models.summary import Dimension, TensorType

#: Sizes of an open first dimension when nothing is said about it.
BATCH = (1, 8, 32)
#: Stands for an open dimension in examples when no data tells a better size.
_EXAMPLE_SIZE = 64
_LARGEST = (1 << 31) - 1
_SHAPE = re.compile(r"[0-9]{1,10}(?:x[0-9]{1,10})*")

Shape = tuple[int, ...]
#: Smallest, best-tuned and largest size of one dimension.
Sizes = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class ShapeRange:
    """One input's shapes, batch dimension included; minimum <= optimum <= maximum in every dimension."""

    minimum: Shape
    optimum: Shape
    maximum: Shape

    @classmethod
    def of(cls, sizes: Sequence[Sizes]) -> ShapeRange:
        minimum, optimum, maximum = (tuple(size[which] for size in sizes) for which in range(3))
        return cls(minimum=minimum, optimum=optimum, maximum=maximum)

    def admits(self, shape: Shape) -> bool:
        return len(shape) == len(self.minimum) and all(
            low <= size <= high for low, size, high in zip(self.minimum, shape, self.maximum, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class OptimizationProfile:
    """Shape ranges by input name, in the model's order."""

    inputs: Mapping[str, ShapeRange]

    def as_dict(self) -> dict[str, dict[str, list[int]]]:
        """As plain data, the form that builds and their keys have: {input: {min, opt, max}}."""
        return {
            name: {"min": list(shapes.minimum), "opt": list(shapes.optimum), "max": list(shapes.maximum)}
            for name, shapes in self.inputs.items()
        }


def profile_of(
    inputs: Sequence[TensorType], options: Sequence[str], data_shapes: Mapping[str, Shape] | None = None
) -> OptimizationProfile:
    """The profile that the `--shape` options ask for; raises UsageError for what contradicts the model or is missing.

    `data_shapes` (with the sample axis first) only makes the example in an error fit the data at hand.
    """
    given = _parsed(inputs, options)
    symbols: dict[str, Sizes] = {}
    batch: Sizes | None = None
    for tensor in inputs:
        if tensor.name not in given:
            continue
        for index, (dim, sizes) in enumerate(zip(_dims(tensor, given), given[tensor.name], strict=True)):
            if isinstance(dim, str) and symbols.setdefault(dim, sizes) != sizes:
                raise UsageError(
                    f"--shape gives the dimension {dim!r} two ranges: {_range(symbols[dim])} and {_range(sizes)}",
                    remedy="give it the same range in all inputs",
                )
            if index == 0 and not isinstance(dim, int):
                batch = batch or sizes
    ranges = {}
    for tensor in inputs:
        sizes_of = given.get(tensor.name) or _filled(tensor, symbols, batch or BATCH, data_shapes or {})
        ranges[tensor.name] = ShapeRange.of(sizes_of)
    return OptimizationProfile(inputs=ranges)


def profiles_of(
    inputs: Sequence[TensorType], options: Sequence[str], data_shapes: Mapping[str, Shape] | None = None
) -> tuple[OptimizationProfile, ...]:
    """One or more profiles: the n-th time that an input is named is for the n-th of them; where it is not, its shapes
    are those of the first. Raises UsageError as `profile_of`."""
    return tuple(profile_of(inputs, choice, data_shapes) for choice in _choices(options))


def check_shapes(inputs: Sequence[TensorType], options: Sequence[str]) -> None:
    """Raises UsageError for options that are no shapes of the model's.

    What they leave open `profiles_of` tells, with an example that fits the data.
    """
    for choice in _choices(options):
        _parsed(inputs, choice)


def _choices(options: Sequence[str]) -> Iterator[list[str]]:
    """The options of each profile."""
    named: dict[str, list[str]] = {}
    for option in options:
        named.setdefault(option.rpartition("=")[0], []).append(option)
    count = max(map(len, named.values()), default=1)
    return ([given[number if number < len(given) else 0] for given in named.values()] for number in range(count))


def _parsed(inputs: Sequence[TensorType], options: Sequence[str]) -> dict[str, tuple[Sizes, ...]]:
    by_name = {tensor.name: tensor for tensor in inputs}
    given: dict[str, tuple[Sizes, ...]] = {}
    for option in options:
        name, equals, text = option.rpartition("=")  # shapes have no "=", names may
        if not equals and len(inputs) == 1:
            name = inputs[0].name
        if name not in by_name:
            raise UsageError(
                f"--shape {option}: the model has no input {name!r}", remedy="its inputs are " + ", ".join(by_name)
            )
        if name in given:
            raise UsageError(f"--shape is given twice for {name}", remedy="give it once")
        given[name] = _sizes(by_name[name], option, text.split(":"))
    return given


def _sizes(tensor: TensorType, option: str, parts: list[str]) -> tuple[Sizes, ...]:
    if len(parts) not in (1, 3) or not all(_SHAPE.fullmatch(part) for part in parts):
        raise UsageError(
            f"--shape {option} is not a shape, nor three separated by colons",
            remedy=f"write --shape {tensor.name}={_example(tensor, {})}",
        )
    minimum, optimum, maximum = (_complete(tensor, option, part) for part in (parts * 3)[:3])
    sizes = tuple(zip(minimum, optimum, maximum, strict=True)) if len(minimum) == len(optimum) == len(maximum) else ()
    if not sizes or any(not 1 <= low <= best <= high <= _LARGEST for low, best, high in sizes):
        raise UsageError(
            f"--shape {option}: the shapes must be at least 1 and grow from the first to the last",
            remedy=f"write --shape {tensor.name}={_example(tensor, {})}",
        )
    return sizes


def _complete(tensor: TensorType, option: str, part: str) -> Shape:
    """The whole shape for one part of an option."""
    shape = tuple(int(size) for size in part.split("x"))
    if tensor.dims is None:
        return shape
    if len(shape) == 1 and sum(not isinstance(dim, int) for dim in tensor.dims) == 1:
        shape = tuple(dim if isinstance(dim, int) else shape[0] for dim in tensor.dims)
    fits = len(shape) == len(tensor.dims) and all(
        dim == size or not isinstance(dim, int) for dim, size in zip(tensor.dims, shape, strict=True)
    )
    if not fits:
        raise UsageError(
            f"--shape {option} does not fit the model's input {tensor}",
            remedy=f"write --shape {tensor.name}={_example(tensor, {})}",
        )
    return shape


def _dims(tensor: TensorType, given: Mapping[str, tuple[Sizes, ...]]) -> tuple[Dimension, ...]:
    return (None,) * len(given[tensor.name]) if tensor.dims is None else tensor.dims


def _filled(
    tensor: TensorType, symbols: Mapping[str, Sizes], batch: Sizes, data_shapes: Mapping[str, Shape]
) -> tuple[Sizes, ...]:
    sizes: list[Sizes] = []
    missing: list[str] = []
    for index, dim in enumerate(tensor.dims or ()):
        if isinstance(dim, int):
            sizes.append((dim, dim, dim))
        elif dim in symbols:
            sizes.append(symbols[str(dim)])
        elif index == 0:
            sizes.append(batch)
        else:
            missing.append(dim or f"number {index}")
    if missing or tensor.dims is None:
        raise UsageError(
            f"the input {tensor} has dimensions of no fixed size: {', '.join(missing) or 'all'}",
            cause="an engine is built for a range of sizes, which the model does not tell",
            remedy=f"add --shape {tensor.name}={_example(tensor, data_shapes)}",
        )
    return tuple(sizes)


def _example(tensor: TensorType, data_shapes: Mapping[str, Shape]) -> str:
    dims: tuple[Dimension, ...] = (None, None) if tensor.dims is None else tensor.dims
    data = data_shapes.get(tensor.name, ())
    rest = [
        dim if isinstance(dim, int) else data[index] if len(data) == len(dims) else _EXAMPLE_SIZE
        for index, dim in enumerate(dims)
    ][1:]
    batches = BATCH if dims and not isinstance(dims[0], int) else dims[:1]
    return ":".join("x".join(str(size) for size in (batch, *rest)) for batch in batches)


def _range(sizes: Sizes) -> str:
    return ":".join(str(size) for size in sizes)
