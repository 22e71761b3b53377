"""A model's outputs on samples, batch by batch."""

from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np

from trtfarm_builder.evaluation.comparison import Arrays
from trtfarm_builder.reference.network import Input
from trtfarm_builder.reference.samples import fixed_batch
from trtfarm_builder.sessions import open_session, run_session

_FLOATING = ("tensor(float16)", "tensor(float)", "tensor(double)")
_INTEGER = ("tensor(bool)", *("tensor({}int{})".format(sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)))


class Model:
    """A model in ONNX Runtime on the CPU, run as its graph is written.

    Not optimised, on purpose: ONNX Runtime would fuse Q/DQ pairs with what is between them into integer kernels of its
    own, which round in other places than TensorRT and, on processors without VNNI, saturate sums at 16 bits. Run as
    written, each pair rounds to the 256 values that an engine has, and what is between is float32.
    """

    def __init__(self, content: bytes, folder: Path) -> None:
        """`content` is the serialized model, `folder` holds its external data.

        Raises BadModelError where ONNX Runtime cannot load the model.
        """
        self._session = open_session(content, folder)
        self.inputs = tuple(
            Input(item.name, item.type, tuple(size if isinstance(size, int) else None for size in item.shape))
            for item in self._session.get_inputs()
        )
        self._fixed = fixed_batch(self.inputs)
        #: Name -> ONNX Runtime's word for the type.
        self.outputs = {item.name: item.type for item in self._session.get_outputs()}

    @classmethod
    def read(cls, path: Path) -> "Model":
        """The model of a file, as the constructor takes it."""
        return cls(path.read_bytes(), path.parent)

    @property
    def fixed_batch(self) -> int:
        """The only batch size that the model takes; 0 where it takes any."""
        return self._fixed or 0

    @property
    def floating(self) -> Tuple[str, ...]:
        return tuple(name for name, kind in self.outputs.items() if kind in _FLOATING)

    @property
    def integer(self) -> Tuple[str, ...]:
        """Outputs of integers or booleans."""
        return tuple(name for name, kind in self.outputs.items() if kind in _INTEGER)

    @property
    def other(self) -> Tuple[str, ...]:
        """Outputs that NumPy cannot hold or compare: strings, sequences, rarer floating-point types."""
        return tuple(name for name in self.outputs if name not in (*self.floating, *self.integer))

    def run(self, feeds: Arrays, outputs: Sequence[str], scalars: Optional[Arrays] = None) -> Arrays:
        """Outputs for `feeds`, whose first axes count samples, n of them, and for `scalars`, whose axes do not.

        Raises BadDataError where the model fails. A model of a fixed batch size gets the last sample repeated until the
        batch is full; of outputs whose first axis is the batch, only the first n rows are given back.
        """
        samples = len(next(iter(feeds.values())))
        missing = self.fixed_batch - samples
        if missing <= 0:
            return run_session(self._session, outputs, {**feeds, **(scalars or {})})
        filled = {name: np.concatenate([array, *[array[-1:]] * missing]) for name, array in feeds.items()}
        found = run_session(self._session, outputs, {**filled, **(scalars or {})})
        return {
            name: array[:samples] if array.shape[:1] == (self.fixed_batch,) else array for name, array in found.items()
        }
