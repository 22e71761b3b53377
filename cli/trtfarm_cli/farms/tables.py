"""Tables of a farm, wherever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from trtfarm_cli.farms.within import EVERYTHING, Within

if TYPE_CHECKING:
    from trtfarm.catalog.entries import TableEntry
    from trtfarm.models.model import Model
    from trtfarm.tables.table import CalibrationTable

Facts = dict[str, Any]


class Tables(Protocol):
    """Filters are those of engines, without `precision` and `label`."""

    def find(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[TableEntry]: ...

    def details(self, text: str) -> Facts: ...

    def text(self, text: str) -> tuple[str, bytes]:
        """The id of a table, and what TensorRT reads."""

    def add(self, table: CalibrationTable, model: Model) -> str:
        """The id of a table that was checked against its model."""
