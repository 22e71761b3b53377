"""What differs between two tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from trtfarm.tables.scales import float32_from_hex
from trtfarm.tables.table import CalibrationTable


@dataclass(frozen=True, kw_only=True)
class ScaleChange:
    """A tensor whose scale differs in at least one bit; scales in hex."""

    tensor: str
    left: str
    right: str

    @property
    def ratio(self) -> float:
        """right / left; infinite for a left scale of zero, NaN where either is no number."""
        left, right = float32_from_hex(self.left), float32_from_hex(self.right)
        if left == 0:
            return math.nan if math.isnan(right) or right == 0 else math.copysign(math.inf, right)
        return right / left

    @property
    def relative(self) -> float:
        """|right - left| / |left|; infinite where that is no number, so that such a change counts as the worst."""
        difference = abs(self.ratio - 1)
        return math.inf if math.isnan(difference) else difference


@dataclass(frozen=True, kw_only=True)
class TableDiff:
    """Two tables compared; `headers` is None if both have the same first line."""

    headers: tuple[str, str] | None
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]
    changed: tuple[ScaleChange, ...]
    #: Tensors with the same bits in both.
    equal: int

    @property
    def same_scales(self) -> bool:
        return not (self.only_left or self.only_right or self.changed)

    @property
    def max_relative(self) -> float:
        """The largest relative difference of any tensor in both tables; 0 if none differs."""
        return max((change.relative for change in self.changed), default=0.0)

    def worst(self, most: int = 10) -> list[ScaleChange]:
        """The changes by relative difference, largest first; the order of the left table breaks ties."""
        return sorted(self.changed, key=lambda change: change.relative, reverse=True)[:most]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`; what is infinite or no number is None, which JSON has."""
        return asdict(self) | {
            "changed": [
                asdict(change) | {"ratio": _finite(change.ratio), "relative": _finite(change.relative)}
                for change in self.changed
            ],
            "max_relative": _finite(self.max_relative),
        }


def diff(left: CalibrationTable, right: CalibrationTable) -> TableDiff:
    """Compares scales bit for bit, whatever the tables' order."""
    changed = tuple(_changes(left, right))
    both = sum(tensor in right.scales for tensor in left.scales)
    return TableDiff(
        headers=None if left.header == right.header else (str(left.header), str(right.header)),
        only_left=tuple(tensor for tensor in left.scales if tensor not in right.scales),
        only_right=tuple(tensor for tensor in right.scales if tensor not in left.scales),
        changed=changed,
        equal=both - len(changed),
    )


def _changes(left: CalibrationTable, right: CalibrationTable) -> Iterator[ScaleChange]:
    for tensor, scale in left.scales.items():
        other = right.scales.get(tensor, scale)
        if other != scale:
            yield ScaleChange(tensor=tensor, left=scale, right=other)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
