"""What is in a bundle, as plain data, for those who look at one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trtfarm.bundles.container import Container, size_of
from trtfarm.bundles.files import pieces_of
from trtfarm.bundles.manifest import VERSION, Manifest
from trtfarm.bundles.statement import BundleStatement, check, seal_of
from trtfarm.signing.keyring import Keyring

_OF_ENGINES = ("id", "precision", "calibrator", "tensorrt", "toolchain", "compute_capability", "gpu", "size", "labels")
_OF_TABLES = ("id", "calibrator", "tensorrt", "batch_size", "origin", "portable")


def described(
    keyring: Keyring, path: Path, *, tell: Callable[[int, int], None] = lambda _done, _total: None
) -> dict[str, Any]:
    """Reads a bundle to its end. `trusted` says whether its key is trusted here; else nobody vouches for what it says.

    Raises BundleError for a damaged one, SignatureError where a trusted key signed something else.
    """
    name = str(path)
    container = Container(pieces_of(path), name)
    data, signature = container.manifest(), container.signature()
    statement, seal = BundleStatement.of(data), seal_of(signature, name)
    trusted = keyring.find(seal.key)
    if trusted:
        check(keyring, statement, seal, name)
    manifest = Manifest.decode(data, name)
    total = size_of(len(data), len(signature), manifest.blobs)
    for blob in manifest.blobs:
        for _ in container.blob(blob):
            tell(container.place, total)
    container.end()
    signer = {"signed_by": seal.key, "trusted": trusted is not None, "own": trusted is not None and trusted.own}
    return {"bundle": statement.bundle, "version": VERSION, **signer, "size": total, **contents(manifest)}


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
        **{name: len(manifest.rows[name]) for name in ("datasets", "quantizations", "verifications")},
        "files": len(manifest.blobs),
    }
