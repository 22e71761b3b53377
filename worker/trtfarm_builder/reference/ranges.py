"""The largest magnitude of a tensor, all that the MinMax calibrator looks at."""

from typing import Any, Dict, Mapping, Sequence

from numpy.typing import NDArray

from trtfarm_builder.reference.magnitudes import as_float32, fault_of, largest_magnitude


class Range:
    """`base` is max |x| over everything added, in float32."""

    def __init__(self, base: float = 0.0) -> None:
        self.fault = ""
        self.base = base

    @property
    def settled(self) -> bool:
        """Never: every value counts."""
        return False

    def add(self, values: NDArray[Any]) -> None:
        """Adds values, any shape, float16, float32 or float64 (taken as float32)."""
        flat = as_float32(values)
        if self.fault or not flat.size:
            return
        amax = largest_magnitude(flat)
        self.fault = fault_of(amax)
        if not self.fault:
            self.base = max(self.base, amax)

    def recount(self) -> bool:
        """Never: one look at a batch is enough."""
        return False

    def end_batch(self) -> None:
        """Nothing is left open between pieces of a batch."""

    def summary(self) -> float:
        return self.base

    def row(self) -> Dict[str, Any]:
        return {"base": self.base, "fault": self.fault}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Range":
        self = cls(float(row["base"]))
        self.fault = str(row["fault"])
        return self

    @classmethod
    def merged(cls, parts: Sequence["Range"]) -> "Range":
        self = cls(max(part.base for part in parts))
        self.fault = next((part.fault for part in parts if part.fault), "")
        return self
