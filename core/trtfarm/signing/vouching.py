"""Signing engines that have no signature, because whoever runs the farm says that they are its own."""

from __future__ import annotations

from collections.abc import Sequence

from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import EngineRow
from trtfarm.errors import CorruptBlobError, UsageError
from trtfarm.farm import Farm
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import Seal, sealed
from trtfarm.signing.statement import EngineStatement


def vouch(farm: Farm, names: Sequence[str]) -> list[str]:
    """Signs the engines whose ids or digests start so, all or none; returns their ids.

    Raises NotFoundError, UsageError for an engine that has a signature, and StorageError where a plan is not whole.
    """
    with farm.database.read() as session:
        found = {row.id: row for row in (find_one(session, EngineRow, name) for name in names)}
    signed = [row.id for row in found.values() if row.signature]
    if signed:
        raise UsageError(
            f"signed already: {', '.join(signed)}",
            cause="a signature that does not fit is never replaced: it tells that something was changed",
            remedy="leave them out; build again what is not as it was signed",
        )
    keyring = Keyring.of(farm.settings)
    seals = {}
    for row in found.values():
        if not farm.blobs.verify(row.blob):
            raise CorruptBlobError(f"the plan of {row.id} is not whole", remedy="build it again: trtfarm submit")
        seals[row.id] = sealed(keyring, EngineStatement.of_row(row))
    with farm.database.write() as session:
        for engine_id, seal in seals.items():
            _put(session.get_one(EngineRow, engine_id), found[engine_id], seal)
    return list(found)


def _put(row: EngineRow, seen: EngineRow, seal: Seal) -> None:
    """Only what was looked at is signed: a build may have renewed the row since, and has signed it then."""
    if EngineStatement.of_row(row) == EngineStatement.of_row(seen) and not row.signature:
        row.signature, row.signing_key = seal.signature, seal.key
