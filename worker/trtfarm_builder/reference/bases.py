"""Where the histograms of shares of the data begin: found in the first batches, before the shares are observed."""

from typing import Any, Sequence

from numpy.typing import NDArray

from trtfarm_builder.reference.ranges import Range


class Base(Range):
    """`base` is the largest magnitude of the first batch that is not all zero, which a histogram takes for its range.

    0 as long as all batches were. Later ones change nothing any more, and most tensors have their base in the first.
    """

    def __init__(self, base: float = 0.0) -> None:
        super().__init__(base)
        self._settled = bool(base)

    @property
    def settled(self) -> bool:
        return self._settled or bool(self.fault)

    def add(self, values: NDArray[Any]) -> None:
        if not self.settled:
            super().add(values)

    def end_batch(self) -> None:
        self._settled = bool(self.base)

    @classmethod
    def merged(cls, parts: Sequence[Range]) -> "Base":
        """Of consecutive shares, the first that is not zero."""
        self = cls(next((part.base for part in parts if part.base), 0.0))
        self.fault = next((part.fault for part in parts if part.fault), "")
        return self
