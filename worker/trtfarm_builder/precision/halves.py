"""Constants in float16, and which of them float16 cannot hold."""

from typing import Dict, Tuple

import numpy as np
import numpy.typing as npt

from trtfarm_builder.quantization.constants import Constants
from trtfarm_builder.quantization.graph import Graph, is_standard

Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
#: The largest finite float16.
LARGEST = 65504.0


class Halves:
    """Reads stored constants as float16; remembers what it found out, and reads values again when they are wanted."""

    def __init__(self, graph: Graph, constants: Constants) -> None:
        self._graph = graph
        self._constants = constants
        self._known: Dict[str, Tuple[bool, bool]] = {}

    def stored(self, tensor: str) -> bool:
        """Whether the model holds the tensor as it is: an initializer, or what a Constant node gives."""
        number = self._graph.producer(tensor)
        if number is None:
            return tensor in self._graph.initializers
        node = self._graph.nodes[number]
        return node.op_type == "Constant" and is_standard(node) and self._constants.holds(tensor)

    def overflows(self, tensor: str) -> bool:
        """Whether a stored tensor has finite values beyond float16's range."""
        return self._compared(tensor)[0]

    def vanishes(self, tensor: str) -> bool:
        """Whether nothing but zeros is left of a stored tensor, such as the epsilon of a normalisation.

        Single weights of many that become zero are rounding.
        """
        return self._compared(tensor)[1]

    def value(self, tensor: str) -> Float16:
        """A stored tensor, rounded to the nearest; finite values beyond the range become the largest finite ones."""
        exact = self._read(tensor)
        return rounded(np.where(np.isinf(exact), exact, np.clip(exact, -LARGEST, LARGEST)))

    def scale(self, tensor: str) -> Float16:
        """Stored scales of Q/DQ, rounded up, so that no range shrinks and none becomes zero.

        Below its least number, 2^-24, float16 has nothing that a finer scale could tell apart.
        """
        exact = self._read(tensor)
        nearest = rounded(exact)
        with np.errstate(over="ignore"):  # computed for the largest too, where it is not taken
            return np.where(nearest < exact, np.nextafter(nearest, np.float16(np.inf)), nearest)

    def _compared(self, tensor: str) -> Tuple[bool, bool]:
        if tensor not in self._known:
            value = self._read(tensor)
            beyond = (np.abs(value) > LARGEST) & np.isfinite(value)
            self._known[tensor] = bool(beyond.any()), bool(value.any() and not rounded(value).any())
        return self._known[tensor]

    def _read(self, tensor: str) -> Float32:
        return self._constants.read(tensor).value.astype(np.float32, copy=False)


def rounded(values: Float32) -> Float16:
    """Each value to the nearest float16; infinite beyond its range."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16)
