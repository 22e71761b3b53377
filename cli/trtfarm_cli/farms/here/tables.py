"""Tables of the farm that is open in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import TableRow
from trtfarm.farm import Farm
from trtfarm_cli.farms.any_farm import Facts
from trtfarm_cli.farms.here.filters import filter_of, window_of
from trtfarm_cli.farms.within import EVERYTHING, Within

if TYPE_CHECKING:
    from trtfarm.catalog.entries import TableEntry
    from trtfarm.models.model import Model
    from trtfarm.tables.table import CalibrationTable


class TablesHere:
    """Fulfils `Tables`."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def find(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[TableEntry]:
        from trtfarm.catalog.search import find_tables

        with self._farm.database.read() as session:
            return find_tables(session, filter_of(filters, within), limit=limit, within=window_of(within))

    def details(self, text: str) -> Facts:
        from trtfarm.catalog.details import table_details

        with self._farm.database.read() as session:
            return table_details(session, text)

    def text(self, text: str) -> tuple[str, bytes]:
        with self._farm.database.read() as session:
            row = find_one(session, TableRow, text)
        return row.id, self._farm.blobs.read(row.blob)

    def add(self, table: CalibrationTable, model: Model) -> str:
        from trtfarm.intake import add_model, add_table

        return add_table(self._farm, table, add_model(self._farm, model))
