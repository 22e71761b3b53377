"""Bundles that no farm would make, signed by one that is trusted all the same."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trtfarm.bundles.statement import BundleStatement, signed
from trtfarm.database.schema import EngineRow
from trtfarm.digests import canonical_json
from trtfarm.errors import SignatureError
from trtfarm.farm import Farm
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import sealed
from trtfarm.signing.statement import EngineStatement

END = bytes(1024)


@dataclass
class Forged:
    """A true bundle taken apart, to be changed and put together again."""

    farm: Farm
    manifest: Any
    files: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, farm: Farm, data: bytes) -> Forged:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            found = {entry.name: tar.extractfile(entry) for entry in tar}
        files = {name: file.read() for name, file in found.items() if file}
        manifest = json.loads(files.pop("manifest.json"))
        files.pop("manifest.sig")
        return cls(farm=farm, manifest=manifest, files=files)

    def row(self, kind: str) -> dict[str, Any]:
        """The first of a kind."""
        row: dict[str, Any] = self.manifest[kind][0]
        return row

    def bytes(self) -> bytes:
        """As the farm's key signs it, engines as they are now, and each file where the manifest says."""
        data = encoded(self.manifest)
        return b"".join([head(self.farm, data), *(entry(name, content) for name, content in self.files.items()), END])

    def seal(self) -> None:
        """Signs the engines anew, so that nothing but the bundle itself can be refused."""
        keyring = Keyring.of(self.farm.settings)
        for record in self.manifest["engines"]:
            row = EngineRow(**{name: record[name] for name in record if name not in {"labels", "created"}})
            seal = sealed(keyring, EngineStatement.of_row(row))
            record["signature"], record["signing_key"] = seal.signature, seal.key


def encoded(manifest: Any) -> bytes:
    """Canonical where there is such a form."""
    try:
        return canonical_json(manifest)
    except (ValueError, RecursionError):
        return json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()


def head(farm: Farm, manifest: bytes) -> bytes:
    signature = signed(Keyring.of(farm.settings), BundleStatement.of(manifest))
    return entry("manifest.json", manifest) + entry("manifest.sig", signature)


def entry(name: str, content: bytes, **changes: Any) -> bytes:
    made = tarfile.TarInfo(name)
    made.size, made.mode = len(content), 0o644
    for attribute, value in changes.items():
        setattr(made, attribute, value)
    return made.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


Change = Callable[[Forged], Any]


def set_to(kind: str, **values: Any) -> Change:
    """Fields of the first row of a kind."""
    return lambda forged: forged.row(kind).update(values)


def within(kind: str, name: str, **values: Any) -> Change:
    """The same of an object in such a field."""

    def change(forged: Forged) -> None:
        inner: Mapping[str, Any] = forged.row(kind)[name]
        forged.row(kind)[name] = {**inner, **values}

    return change


def resealed(forged: Forged) -> Forged:
    """With engines signed anew as far as they can be."""
    try:
        forged.seal()
    except (SignatureError, LookupError, TypeError, AttributeError, ValueError, RecursionError):
        return forged
    return forged
