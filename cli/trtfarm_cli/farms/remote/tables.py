"""Tables of a farm behind HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trtfarm.scratch import temporary_folder
from trtfarm.settings import Settings
from trtfarm_cli.farms.any_farm import Facts
from trtfarm_cli.farms.within import EVERYTHING, Within
from trtfarm_cli.progress import view
from trtfarm_client import Client

if TYPE_CHECKING:
    from trtfarm.catalog.entries import TableEntry
    from trtfarm.models.model import Model
    from trtfarm.tables.table import CalibrationTable


class RemoteTables:
    """Fulfils `Tables`."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def find(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[TableEntry]:
        words: dict[str, Any] = {**filters, **vars(within)}
        return self._client.tables(**words, limit=limit)

    def details(self, text: str) -> Facts:
        return self._client.table(text)

    def text(self, text: str) -> tuple[str, bytes]:
        table = str(self._client.table(text)["id"])
        with temporary_folder() as folder:
            self._client.download_table(table, folder / "table")
            return table, (folder / "table").read_bytes()

    def add(self, table: CalibrationTable, model: Model) -> str:
        from trtfarm_cli.farms.remote.stock import RemoteStock

        with view() as shown:
            stock = RemoteStock(self._client, self._settings, shown)
            return stock.add_table(table, stock.add_model(model, ()))
