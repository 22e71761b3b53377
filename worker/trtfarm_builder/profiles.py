"""Optimization profiles: which shapes an engine takes at its inputs. Plain data, checked before TensorRT sees it."""

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from trtfarm_builder.failures import BadRequestError

Shape = Tuple[int, ...]
_WORDS = ("min", "opt", "max")


def profile_shapes(
    inputs: Mapping[str, Sequence[int]], profiles: Mapping[str, Mapping[str, Sequence[int]]]
) -> Dict[str, Tuple[Shape, Shape, Shape]]:
    """Min, opt and max shape of each input; `inputs` holds their shapes in the model, with -1 for a free dimension.

    An input without free dimensions needs no profile. Raises BadRequestError for anything that TensorRT would refuse
    without saying why.
    """
    unknown = sorted(set(profiles) - set(inputs))
    if unknown:
        raise BadRequestError(
            "the model has no input {}".format(", ".join(map(repr, unknown))),
            remedy="its inputs are: " + ", ".join(map(repr, inputs)),
        )
    return {name: _shapes(name, tuple(shape), profiles.get(name)) for name, shape in inputs.items()}


def _shapes(name: str, declared: Shape, profile: Any) -> Tuple[Shape, Shape, Shape]:
    if profile is None:
        if any(size < 0 for size in declared):
            raise BadRequestError(
                "input {!r} of shape {} needs a profile".format(name, _text(declared)),
                remedy="give its smallest, usual and largest shape",
            )
        return declared, declared, declared
    low, usual, high = (tuple(profile[word]) for word in _WORDS)
    for shape in (low, usual, high):
        _check_fits(name, declared, shape)
    if not all(a <= b <= c for a, b, c in zip(low, usual, high)):
        raise BadRequestError(
            "the profile of input {!r} does not grow: {}".format(name, ", ".join(map(_text, (low, usual, high)))),
            remedy="in each dimension the smallest size comes first, the largest last",
        )
    return low, usual, high


def _check_fits(name: str, declared: Shape, shape: Shape) -> None:
    fits = len(shape) == len(declared) and all(
        size == fixed if fixed >= 0 else size > 0 for size, fixed in zip(shape, declared)
    )
    if not fits:
        raise BadRequestError(
            "the profile shape {} does not fit input {!r} of shape {}".format(_text(shape), name, _text(declared)),
            remedy="sizes are positive, and those that the model fixes stay as they are (-1 is free)",
        )


def _text(shape: Sequence[int]) -> str:
    sizes: List[str] = [str(size) for size in shape]
    return "x".join(sizes) or "scalar"
