"""Engines of the farm that is open in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import EngineRow, ModelRow
from trtfarm.farm import Farm
from trtfarm_cli.farms.any_farm import Facts
from trtfarm_cli.farms.engines import Comparison, Pulled
from trtfarm_cli.farms.here.filters import filter_of, window_of
from trtfarm_cli.farms.within import EVERYTHING, Within
from trtfarm_cli.files import engine_file_name, placed, writable
from trtfarm_cli.progress import View

if TYPE_CHECKING:
    from trtfarm.catalog.entries import EngineEntry


class EnginesHere:
    """Fulfils `Engines`."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def find(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[EngineEntry]:
        from trtfarm.catalog.search import find_engines

        with self._farm.database.read() as session:
            return find_engines(session, filter_of(filters, within), limit=limit, within=window_of(within))

    def details(self, text: str) -> Facts:
        from trtfarm.catalog.details import engine_details

        with self._farm.database.read() as session:
            return engine_details(session, text)

    def pull(self, text: str, destination: Path | None, *, verify: bool) -> Pulled:
        from trtfarm.database.named_rows import row
        from trtfarm.signing.keyring import Keyring
        from trtfarm.signing.seal import Seal, check_row
        from trtfarm.signing.signed_file import write_signature
        from trtfarm.signing.statement import EngineStatement

        with self._farm.database.read() as session:
            found = find_one(session, EngineRow, text)
            name = engine_file_name(
                row(session, ModelRow, found.model_id).name, found.precision, found.compute_capability
            )
        path = writable(placed(destination, name))
        if verify:
            check_row(Keyring.of(self._farm.settings), found)
        self._farm.blobs.materialize(found.blob, path, lasting=True)
        seal = Seal.of_row(found)
        signature = write_signature(path, EngineStatement.of_row(found), seal) if seal else None
        return Pulled(engine=found.id, digest=found.blob, size=found.size, path=path, signature=signature)

    def verify(self, text: str, comparison: Comparison, *, shown: View) -> Facts:
        from trtfarm_cli.farms.here.verification import verified_here

        return verified_here(self._farm, text, comparison, shown=shown)

    def remove(self, texts: Sequence[str]) -> Sequence[str]:
        from trtfarm.catalog.removal import remove_engines

        return remove_engines(self._farm.database, self._farm.blobs, texts)

    def pin(self, text: str, *, pinned: bool) -> None:
        from trtfarm.catalog.pinning import pin_engine

        pin_engine(self._farm.database, text, pinned=pinned)

    def label(self, text: str, label: str, *, given: bool) -> None:
        from trtfarm.catalog.labels import label_engine, unlabel_engine

        (label_engine if given else unlabel_engine)(self._farm.database, text, label)
