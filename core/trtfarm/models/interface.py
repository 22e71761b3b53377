"""What TensorRT does not take of a model's inputs and outputs, whatever its release, told before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from trtfarm.errors import ModelError


def check_interface(inputs: Iterable[str], outputs: Iterable[str]) -> None:
    """Raises ModelError where a name is both an input and an output.

    TensorRT's parser calls such an input `__x` and the copy that it gives back `x`: profiles and data for `x` would
    find no input of that name.
    """
    given_back = sorted(set(inputs).intersection(outputs))
    if given_back:
        names = ", ".join(map(repr, given_back))
        raise ModelError(
            f"{names} is an input of the model and an output as well",
            cause="TensorRT has no tensor that is both, and renames the input",
            remedy="take it out of the outputs, or give out a copy under a name of its own (an Identity node)",
        )
