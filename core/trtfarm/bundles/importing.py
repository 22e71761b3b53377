"""Importing: a bundle is read once from its first byte to its last, and its rows come in one transaction, or none.

Files are stored as they come, and clean-up is kept away from them until rows name them: a process that dies meanwhile
leaves files that nothing names, which clean-up takes a day later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from trtfarm.blobs.records import holding, record
from trtfarm.blobs.store import Blob
from trtfarm.bundles.adding import Origin, Taker, add
from trtfarm.bundles.container import Container, size_of
from trtfarm.bundles.content import CHECKS, files_of
from trtfarm.bundles.files import pieces_of
from trtfarm.bundles.manifest import Manifest
from trtfarm.bundles.placing import Placed, Verdict, needed, place
from trtfarm.bundles.statement import BundleStatement, check, seal_of
from trtfarm.database.schema import EngineRow
from trtfarm.errors import ConflictError
from trtfarm.farm import Farm
from trtfarm.projects import DEFAULT_PROJECT
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import Seal, check_seal
from trtfarm.signing.statement import EngineStatement

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable

#: Bytes that were read, and of how many.
Tell = Callable[[int, int], None]

_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of the rows of a bundle, or would; `stored` are the files that were, or are, not here."""

    origin: Origin
    placed: tuple[Placed, ...]
    stored: tuple[Blob, ...]
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and the wire: ids that the rows have here, by verdict and kind."""
        told: dict[str, Any] = {verdict: {} for verdict in (Verdict.NEW, Verdict.THERE)}
        for each in self.placed:
            if each.verdict is not Verdict.CONFLICT:
                told[each.verdict].setdefault(each.kind.name, []).append(each.here)
        reasons = [each for each in self.placed if each.reason]
        return {
            "bundle": self.origin.bundle,
            "signed_by": self.origin.farm,
            "dry_run": self.dry_run,
            **told,
            "conflicts": [_told(each) for each in reasons if each.verdict is Verdict.CONFLICT],
            "notes": [_told(each) for each in reasons if each.verdict is not Verdict.CONFLICT],
            "files": len(self.stored),
            "bytes": sum(blob.size for blob in self.stored),
        }


def _told(placed: Placed) -> dict[str, Any]:
    return {
        "kind": placed.kind.word,
        "id": placed.record["id"],
        "here": placed.here,
        "reason": placed.reason,
    }


def import_bundle(
    farm: Farm,
    path: Path,
    *,
    name: str,
    dry_run: bool = False,
    labels: bool = False,
    project: str = DEFAULT_PROJECT,
    tell: Tell = lambda _done, _total: None,
) -> Imported:
    """Takes a bundle in for a project; with `dry_run` only looks. `labels` gives engines those of the bundle.

    It has to be a file: obstore asks for bytes while it stores, and can be asked for none meanwhile. `name` is what the
    user calls it. Raises SignatureError unless a trusted key signed the bundle, and each engine in it; BundleError for
    what no farm would write; TableError, ModelError; StorageError. Nothing has come then.
    """
    container = Container(pieces_of(path), name)
    manifest, origin, total = _begun(farm, container)
    taking = _Taking(farm, manifest, container, lambda: tell(container.place, total))
    if dry_run:
        return Imported(origin=origin, placed=taking.placed(), stored=taking.read(keep=False), dry_run=True)
    with holding(farm.database, [blob.digest for blob in manifest.blobs]) as holder:
        stored = taking.read(keep=True)
        placed = taking.commit(origin, holder, Taker(project=project, labels=labels))
    return Imported(origin=origin, placed=placed, stored=stored, dry_run=False)


def judge_head(farm: Farm, path: Path, *, name: str) -> Imported:
    """What would come of a bundle of which the file has only what `head_of` gives. Raises as `import_bundle`."""
    container = Container(pieces_of(path), name)
    manifest, origin, _total = _begun(farm, container)
    container.nothing_more()
    with farm.database.read() as session:
        placed = tuple(place(session, manifest, farm.complete))
    wanted = needed(placed)
    missing = tuple(blob for blob in manifest.blobs if blob.digest in wanted and not farm.blobs.has(blob))
    return Imported(origin=origin, placed=placed, stored=missing, dry_run=True)


def _begun(farm: Farm, container: Container) -> tuple[Manifest, Origin, int]:
    """A bundle's manifest, which may be believed, where it came from, and how many bytes the bundle has."""
    keyring = Keyring.of(farm.settings)
    data, signature = container.manifest(), container.signature()
    statement = BundleStatement.of(data)
    key = check(keyring, statement, seal_of(signature, container.name), container.name)
    manifest = Manifest.decode(data, container.name)
    _check_engines(keyring, manifest)
    total = size_of(len(data), len(signature), manifest.blobs)
    return manifest, Origin(bundle=statement.bundle, farm=key.id), total


def _check_engines(keyring: Keyring, manifest: Manifest) -> None:
    """Raises SignatureError unless a trusted key signed each engine: that of the farm that built it."""
    for engine in manifest.rows["engines"]:
        row = EngineRow(**{name: engine[name] for name in engine if name not in {"labels", "created"}})
        seal = Seal(signature=engine["signature"], key=engine["signing_key"])
        check_seal(keyring, EngineStatement.of_row(row), seal, f"engine {engine['id']}")


class _Taking:
    """One bundle on its way in."""

    def __init__(self, farm: Farm, manifest: Manifest, container: Container, tell: Callable[[], None]) -> None:
        self._farm = farm
        self._manifest = manifest
        self._container = container
        self._tell = tell
        self._tables: dict[str, CalibrationTable] = {}
        self._kept: Collection[str] = ()

    def placed(self) -> tuple[Placed, ...]:
        with self._farm.database.read() as session:
            return tuple(place(session, self._manifest, self._farm.complete))

    def read(self, *, keep: bool) -> tuple[Blob, ...]:
        """Reads to the bundle's end, with `keep` storing what is needed; returns the files that were not here."""
        blobs, placed = self._farm.blobs, self.placed()
        wanted, missing = needed(placed), []
        for blob, content in files_of(self._container, self._manifest, self._tables, self._tell):
            absent = blob.digest in wanted and not blobs.has(blob)
            if absent:
                missing.append(blob)
            if absent and keep:
                blobs.put_checked(blob, content)
            for _ in content:  # what is not stored is checked all the same
                pass
        self._container.end()
        self._kept = wanted
        if keep:
            self._check_contents(placed)
        return tuple(missing)

    def commit(self, origin: Origin, holder: str, taker: Taker) -> tuple[Placed, ...]:
        """Writes the rows. Raises ConflictError where the farm changed so that another file is needed now."""
        for _ in range(_ATTEMPTS - 1):
            with suppress(IntegrityError):  # somebody wrote or removed one of the rows at the same time
                return self._commit(origin, holder, taker)
        return self._commit(origin, holder, taker)

    def _commit(self, origin: Origin, holder: str, taker: Taker) -> tuple[Placed, ...]:
        with self._farm.database.write() as session:
            placed = place(session, self._manifest, self._farm.complete)
            if not needed(placed) <= set(self._kept):
                raise ConflictError(
                    "the farm changed while the bundle was read",
                    cause="something was removed that the bundle would have replaced",
                    remedy="import it again",
                )
            record(session, [self._manifest.files[digest] for digest in sorted(needed(placed))], holder=holder)
            add(session, placed, self._tables, origin, taker)
            return tuple(placed)

    def _check_contents(self, placed: Collection[Placed]) -> None:
        for each in placed:
            if each.files and (check_content := CHECKS.get(each.kind.name)):
                check_content(self._farm, each.record, self._container.name)
