"""Sample arrays on disk: plain .npy files whose first axis counts samples, read a slice at a time.

Slices are read, not memory-mapped: mapped pages would count as this process's memory, and a file that shrinks while it
is mapped kills the process.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, Dict, Tuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from trtfarm_builder.failures import BadDataError

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_REMEDY = "prepare the data again"


@dataclass(frozen=True)
class ArrayFile:
    """An array in a .npy file, in C order; `offset` is where its values begin, in bytes."""

    path: Path
    dtype: "np.dtype[Any]"
    shape: Tuple[int, ...]
    offset: int

    @property
    def samples(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Samples `start` to `stop` (exclusive), shape (stop - start, ...). Raises BadDataError on a short file."""
        values = np.empty((stop - start, *self.shape[1:]), self.dtype)
        self.read_into(start, stop, values)
        return values

    def read_into(self, start: int, stop: int, out: NDArray[Any]) -> None:
        """The same into memory that is there already: `out` is contiguous, of that shape and of this dtype."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset + start * math.prod(self.shape[1:]) * self.dtype.itemsize)
            room = out.reshape(-1).view(np.uint8).data
            while room:
                read = file.readinto(room)
                if not read:
                    raise BadDataError("{} ends before sample {}".format(self.path.name, stop), remedy=_REMEDY)
                room = room[read:]


def open_array(name: str, spec: Dict[str, Any]) -> ArrayFile:
    """The file of an array spec `{"path", "dtype", "shape"}`, its header checked against the spec and its size.

    Raises BadDataError: no such file, not a plain .npy file, another dtype or shape than said, truncated.
    """
    path = Path(spec["path"])
    try:
        with path.open("rb") as file:
            read_header = _HEADERS.get(npy.read_magic(file))
            if read_header is None:
                raise ValueError("an unknown version of the format")
            shape, fortran_order, dtype = read_header(file)
            offset = file.tell()
        _check_layout(path, shape, dtype, offset, fortran_order=fortran_order)
    # NumPy tries to mend headers that Python's parser refuses, and hands on what its tokenizer says then.
    except (OSError, ValueError, TypeError, SyntaxError, TokenError) as error:
        raise BadDataError(
            "the data of input {!r} cannot be read".format(name), cause=str(error), remedy=_REMEDY
        ) from error
    if list(shape) != list(spec["shape"]) or dtype != np.dtype(spec["dtype"]):
        raise BadDataError(
            "the data of input {!r} is {} of shape {}, not {} of shape {}".format(
                name, dtype, list(shape), spec["dtype"], list(spec["shape"])
            ),
            remedy=_REMEDY,
        )
    return ArrayFile(path=path, dtype=dtype, shape=tuple(shape), offset=offset)


def _check_layout(
    path: Path, shape: Tuple[int, ...], dtype: "np.dtype[Any]", offset: int, *, fortran_order: bool
) -> None:
    if not shape or min(shape) < 0:
        raise ValueError("a shape of {} has no samples".format(list(shape)))
    if fortran_order and len(shape) > 1:
        raise ValueError("the values are in Fortran order")
    if dtype.hasobject or dtype.fields is not None:
        raise ValueError("values of type {} are not numbers".format(dtype))
    wanted = offset + math.prod(shape) * dtype.itemsize
    if path.stat().st_size < wanted:
        raise ValueError("the file is shorter than its header says")
