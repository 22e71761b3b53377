"""The engine that a user names: one of the farm, or a pulled file with its signature beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trtfarm.regular_files import is_file
from trtfarm.settings import Settings
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.signed_file import checked_copy
from trtfarm.signing.statement import EngineStatement
from trtfarm_worker.engines.profiles import Plain, more_profiles

_PLAN = "engine.plan"


@dataclass(frozen=True, kw_only=True)
class NamedEngine:
    """`path` is a copy whose bytes were compared with what a trusted key signed; `statement` is what that says.

    `more_profiles` are the optimization profiles after the statement's, None for a file, of which nobody tells them.
    """

    name: str
    path: Path
    statement: EngineStatement
    more_profiles: Sequence[Plain] | None = None


def fetch_engine(settings: Settings, text: str, folder: Path) -> NamedEngine:
    """Puts the engine into `folder`, checked. Raises NotFoundError, UsageError, SignatureError, StorageError."""
    keyring, copy = Keyring.of(settings), folder / _PLAN
    if is_file(text) or "/" in text:
        return NamedEngine(name=text, path=copy, statement=checked_copy(keyring, Path(text), copy).statement)
    return _of_farm(settings, keyring, text, copy)


def _of_farm(settings: Settings, keyring: Keyring, text: str, copy: Path) -> NamedEngine:
    from trtfarm.catalog.lookup import find_one  # noqa: PLC0415 - a database, which a file does without
    from trtfarm.database.schema import EngineRow  # noqa: PLC0415
    from trtfarm.farm import Farm  # noqa: PLC0415
    from trtfarm.signing.seal import check_row  # noqa: PLC0415

    with Farm.open(settings) as farm:
        with farm.database.read() as session:
            row = find_one(session, EngineRow, text)
        check_row(keyring, row)
        farm.blobs.materialize(row.blob, copy)
    return NamedEngine(
        name=row.id, path=copy, statement=EngineStatement.of_row(row), more_profiles=more_profiles(row.options)
    )
