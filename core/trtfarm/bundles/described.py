"""What is in a bundle, as plain data, for those who look at one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trtfarm.bundles.container import Container, size_of
from trtfarm.bundles.files import pieces_of
from trtfarm.bundles.manifest import Manifest
from trtfarm.bundles.statement import BundleStatement, check, seal_of
from trtfarm.signing.keyring import Keyring

_OF_ENGINES = ("id", "precision", "calibrator", "tensorrt", "toolchain", "compute_capability", "gpu", "size", "labels")
_OF_TABLES = ("id", "calibrator", "tensorrt", "batch_size", "origin", "portable")


def described(
    keyring: Keyring, path: Path, *, whole: bool = True, tell: Callable[[int, int], None] = lambda _done, _total: None
) -> dict[str, Any]:
    """What is in a bundle, read to its end unless `whole` is false: then its files are not looked at.

    `trusted` says whether its key is trusted here; else nobody vouches for what it says. Raises BundleError for a
    damaged one, SignatureError where a trusted key signed something else.
    """
    container = Container(pieces_of(path), str(path))
    data, signature = container.manifest(), container.signature()
    statement, seal = BundleStatement.of(data), seal_of(signature, container.name)
    trusted = keyring.find(seal.key)
    if trusted:
        check(keyring, statement, seal, container.name)
    manifest = Manifest.decode(data, container.name)
    total = size_of(len(data), len(signature), manifest.blobs)
    if whole:
        _read_on(container, manifest, lambda: tell(container.place, total))
    signer = {"signed_by": seal.key, "trusted": trusted is not None, "own": trusted is not None and trusted.own}
    return {"bundle": statement.bundle, "version": manifest.version, **signer, "size": total, **contents(manifest)}


def whole_manifest(chunks: Iterator[bytes], name: str) -> Manifest:
    """The manifest of a bundle that was read to its end, and is whole, whoever signed it. Raises BundleError."""
    container = Container(chunks, name)
    data = container.manifest()
    seal_of(container.signature(), name)
    manifest = Manifest.decode(data, name)
    _read_on(container, manifest, lambda: None)
    return manifest


def _read_on(container: Container, manifest: Manifest, tell: Callable[[], None]) -> None:
    """Reads the files, whose digests have to be right."""
    for blob in manifest.blobs:
        for _ in container.blob(blob):
            tell()
    container.end()


def contents(manifest: Manifest) -> dict[str, Any]:
    """Engines and tables with the names of their models, the models, and how many rows come along."""
    models = {record["id"]: record for record in manifest.rows["models"]}

    def entry(record: Any, fields: tuple[str, ...]) -> dict[str, Any]:
        return {"model": models[record["model_id"]]["name"], **{field: record[field] for field in fields}}

    return {
        "engines": [
            entry(record, _OF_ENGINES) | {"digest": record["blob"], "signed_by": record["signing_key"]}
            for record in manifest.rows["engines"]
        ],
        "tables": [entry(record, _OF_TABLES) | {"digest": record["blob"]} for record in manifest.rows["tables"]],
        "models": [
            {
                "id": record["id"],
                "name": record["name"],
                "digest": record["digest"],
                "whole": manifest.has_files(record),
            }
            for record in models.values()
        ],
        **{name: len(manifest.rows[name]) for name in ("datasets", "quantizations", "verifications", "recordings")},
        "files": len(manifest.blobs),
    }
