"""Exporting: what a farm has, signed with its key, as the bytes of a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from trtfarm.blobs.store import Blob, BlobStore
from trtfarm.bundles import container
from trtfarm.bundles.kinds import KINDS
from trtfarm.bundles.manifest import Manifest
from trtfarm.bundles.records import records_of
from trtfarm.bundles.selection import Chosen, Selection, chosen
from trtfarm.bundles.statement import BundleStatement, signed
from trtfarm.errors import MissingBlobError
from trtfarm.farm import Farm
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import check_row


@dataclass(frozen=True, kw_only=True)
class Export:
    """A bundle whose files are still in the store. The same of the same rows: what broke off can be gone on with."""

    manifest: Manifest
    signature: bytes

    @property
    def size(self) -> int:
        """Bytes of the whole bundle."""
        return container.size_of(len(self.manifest.data), len(self.signature), self.manifest.blobs)

    def chunks(self, blobs: BlobStore) -> Iterator[bytes]:
        """All bytes; raises MissingBlobError or CorruptBlobError where a file is not what it was."""
        return container.chunks_of(self.manifest.data, self.signature, self.manifest.blobs, blobs.stream)


def export_of(farm: Farm, selection: Selection, project: str | None = None) -> Export:
    """What a selection amounts to, of what a project sees.

    Raises UsageError and NotFoundError for what is not there, SignatureError for an engine that no trusted key signed
    as it is, MissingBlobError where a file is gone, BundleError for rows that no other farm would take.
    """
    keyring = Keyring.of(farm.settings)
    with farm.database.read() as session:
        rows = chosen(session, selection, project)
        records = records_of(session, rows, project)
    for engine in rows["engines"].values():
        check_row(keyring, engine)
    manifest = Manifest.of(records, _blobs(farm, rows, with_models=selection.with_models))
    # Rows may be of a release that wrote them otherwise: better here than on the other farm.
    Manifest.decode(manifest.data, "this bundle")
    return Export(manifest=manifest, signature=signed(keyring, BundleStatement.of(manifest.data)))


def _blobs(farm: Farm, rows: Chosen, *, with_models: bool) -> list[Blob]:
    found: dict[str, Blob] = {}
    for kind in KINDS:
        carried = replace(kind, files=("blob", "weights_blob")) if with_models and kind.name == "models" else kind
        for row in rows[kind.name].values():
            for digest in carried.files_named(partial(getattr, row)):
                found[digest] = _blob(farm, digest, f"{kind.word} {row.id}")
    return list(found.values())


def _blob(farm: Farm, digest: str, of: str) -> Blob:
    size = farm.blobs.size(digest)
    if size is None:
        raise MissingBlobError(
            f"a file of {of} is not here",
            cause="it was lost, or the row came from another farm without it",
            remedy="submit again, which makes it anew; a model is handed in again, or stays behind without "
            "--with-models",
        )
    return Blob(digest=digest, size=size)
