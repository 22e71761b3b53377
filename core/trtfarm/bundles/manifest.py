"""The manifest of a bundle: rows as plain data, and the files that they name. It is signed, and looked at all the same.

Whatever passes can be stored on any database, shown by every command, and names nothing that is not there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import trtfarm
from trtfarm.blobs.store import Blob
from trtfarm.blobs.uploads import LARGEST_BYTES
from trtfarm.bundles.checks import count, is_digest_text, is_plain, word
from trtfarm.bundles.container import LARGEST_MANIFEST
from trtfarm.bundles.kinds import KINDS, Kind, Record
from trtfarm.datasets.dataset import digest_of_data
from trtfarm.digests import canonical_json, digest_of_bytes
from trtfarm.errors import BundleError, UsageError
from trtfarm.tables.reading import MAX_BYTES

_FORMAT = "trtfarm bundle"
#: The newest that this release reads and writes. What other releases need not know is not in bundles that do without.
_NEWEST = max(kind.since for kind in KINDS)
_FIELDS = frozenset({"format", "version", "release", "blobs"})
_AGAIN = "export it again, and see that both farms are of one release: trtfarm version"

Rows = Mapping[str, Sequence[Record]]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """`rows` are the records of each kind; `blobs` the files of the bundle, in its order."""

    rows: Rows
    blobs: tuple[Blob, ...]

    @classmethod
    def of(cls, rows: Rows, blobs: Collection[Blob]) -> Manifest:
        """In the one order that a bundle has."""
        ordered = {kind.name: sorted(rows[kind.name], key=lambda record: str(record["id"])) for kind in KINDS}
        return cls(rows=ordered, blobs=tuple(sorted(blobs, key=lambda blob: blob.digest)))

    @classmethod
    def decode(cls, data: bytes, name: str) -> Manifest:
        """Reads what `encode` wrote; raises BundleError for anything else. `name` is what the user calls the bundle."""
        found = _parsed(data, name)
        try:
            _check_form(found)
            made = cls(
                rows={kind.name: found.get(kind.name, []) for kind in KINDS},
                blobs=tuple(Blob(digest=blob["digest"], size=blob["size"]) for blob in found["blobs"]),
            )
            made.check()
        except _UnfitError as error:
            raise BundleError(f"{name} holds what no farm would", cause=str(error), remedy=_AGAIN) from error
        return made

    @cached_property
    def data(self) -> bytes:
        """The bytes that stand for it. Raises UsageError for more than a bundle may tell."""
        head = {"format": _FORMAT, "version": self.version, "release": trtfarm.__version__}
        rows = {kind.name: self.rows[kind.name] for kind in _kinds(self.version)}
        data = canonical_json({**head, **rows, "blobs": [asdict(blob) for blob in self.blobs]})
        if len(data) > LARGEST_MANIFEST:
            raise UsageError(
                "this is too much for one bundle",
                cause=f"what is to be told of it takes {len(data):,} bytes, and {LARGEST_MANIFEST:,} are the most",
                remedy="export it in several",
            )
        return data

    @property
    def version(self) -> int:
        """The oldest that can tell of these rows."""
        return max((kind.since for kind in KINDS if self.rows[kind.name]), default=1)

    @property
    def digest(self) -> str:
        return digest_of_bytes(self.data)

    @cached_property
    def files(self) -> Mapping[str, Blob]:
        """Digest -> the file."""
        return {blob.digest: blob for blob in self.blobs}

    def has_files(self, model: Record) -> bool:
        """Whether the bundle has the model itself, and not only what it is called."""
        return model["blob"] in self.files and (model["weights_blob"] is None or model["weights_blob"] in self.files)

    def files_of(self, kind: Kind, record: Record) -> list[str]:
        """Digests of the bundle's files that a row names."""
        if kind.name == "models":
            return [blob for blob in (record["blob"], record["weights_blob"]) if blob] if self.has_files(record) else []
        return kind.files_named(record.__getitem__)

    def check(self) -> None:
        """Raises _UnfitError where the rows contradict each other or the files."""
        by_id = {kind.name: {record["id"]: record for record in self.rows[kind.name]} for kind in KINDS}
        for kind in KINDS:
            _check_once(kind, self.rows[kind.name])
            for record in self.rows[kind.name]:
                _check_names(kind, record, by_id)
                for trouble in _CONTRADICTIONS.get(kind.name, _none)(record, self.files):
                    raise _UnfitError(f"{kind.word} {record['id']}: {trouble}")
        needed = {digest for kind in KINDS for record in self.rows[kind.name] for digest in self.files_of(kind, record)}
        for strays, what in ((needed - set(self.files), "missing"), (set(self.files) - needed, "named by nothing")):
            if strays:
                raise _UnfitError(f"{min(strays)} is {what}")


class _UnfitError(Exception):
    """Why a manifest is none."""


def _parsed(data: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
        canonical = canonical_json(found) == data
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is damaged", cause="its manifest cannot be read", remedy=_AGAIN) from error
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise BundleError(f"{name} is no bundle", cause="its manifest is none", remedy=_AGAIN)
    if type(found.get("version")) is not int or not 1 <= found["version"] <= _NEWEST:
        raise BundleError(
            f"{name} is of version {found.get('version')!r:.20}, and this release reads versions 1 to {_NEWEST}",
            cause=f"trtfarm {found.get('release')!r:.20} wrote it",
            remedy="upgrade the older of the two farms",
        )
    if not canonical:
        raise BundleError(f"{name} is damaged", cause="its manifest is not written as bundles are", remedy=_AGAIN)
    return found


def _check_form(found: Mapping[str, Any]) -> None:
    kinds = _kinds(found["version"])
    fields = {*_FIELDS, *(kind.name for kind in kinds)}
    if set(found) != fields or not is_plain(found) or not word(40)(found["release"]):
        raise _UnfitError("the manifest has not the fields of one, or texts or numbers that cannot be stored")
    blobs = found["blobs"]
    if not isinstance(blobs, list) or not all(map(_is_blob, blobs)):
        raise _UnfitError("its files are not told as files are")
    digests = [blob["digest"] for blob in blobs]
    if digests != sorted(set(digests)):
        raise _UnfitError("its files are told twice, or out of order")
    for kind in kinds:
        if not isinstance(found[kind.name], list):
            raise _UnfitError(f"{kind.name} is no list")
        for number, record in enumerate(found[kind.name], 1):
            _check_record(kind, number, record)
    if found["version"] > 1 and not any(found[kind.name] for kind in kinds if kind.since == found["version"]):
        raise _UnfitError(f"nothing in it is of version {found['version']}")


def _kinds(version: int) -> list[Kind]:
    """Those that a manifest of this version lists."""
    return [kind for kind in KINDS if kind.since <= version]


def _is_blob(value: Any) -> bool:
    good = isinstance(value, dict) and set(value) == {"digest", "size"}
    return good and is_digest_text(value["digest"]) and count(LARGEST_BYTES)(value["size"])


def _check_record(kind: Kind, number: int, record: Any) -> None:
    if not isinstance(record, dict) or set(record) != set(kind.form):
        raise _UnfitError(f"{kind.word} {number} has not the fields of one")
    for name, check in kind.form.items():
        if not check(record[name]):
            raise _UnfitError(f"{kind.word} {number}: its {name} cannot be {record[name]!r:.80}")


def _check_once(kind: Kind, records: Sequence[Record]) -> None:
    for name in ("id", kind.unique):
        values = [record[name] for record in records if record[name] is not None]
        if len(set(values)) != len(values):
            raise _UnfitError(f"two {kind.name} have the same {name}")


def _check_names(kind: Kind, record: Record, by_id: Mapping[str, Mapping[str, Record]]) -> None:
    """Whatever a row names is there, and is of the same model."""
    for name, of_kind in kind.names.items():
        named = None if record[name] is None else by_id[of_kind].get(record[name])
        if named is None:
            if record[name] is not None:
                raise _UnfitError(f"{kind.word} {record['id']} names {record[name]}, which is not there")
        elif named.get("model_id", record["model_id"]) != record["model_id"]:
            raise _UnfitError(f"{kind.word} {record['id']} names {named['id']}, which is another model's")


def _dataset(record: Record, _files: Mapping[str, Blob]) -> Iterator[str]:
    arrays = [*record["inputs"], *([record["labels"]] if record["labels"] else [])]
    blobs = {array["name"]: array["blob"] for array in record["inputs"]}
    labels = record["labels"]["blob"] if record["labels"] else None
    if len(blobs) != len(record["inputs"]) or any(array["shape"][0] != record["samples"] for array in arrays):
        yield "its arrays are not those of its samples"
    if digest_of_data(blobs, labels, record["spec"] or {}) != record["digest"]:
        yield "its digest is another one's"


def _table(record: Record, files: Mapping[str, Blob]) -> Iterator[str]:
    if record["blob"] in files and files[record["blob"]].size > MAX_BYTES:
        yield f"its text has {files[record['blob']].size:,} bytes"
    if record["portable"] != record["before_fusion"] or record["portable"] != (record["device"] is None):
        yield "a table holds everywhere, or for one device"
    if record["calibrator"] == "unknown" and "header" not in record["rule"]:
        yield "nothing tells its calibrator"


def _engine(record: Record, files: Mapping[str, Blob]) -> Iterator[str]:
    if record["blob"] in files and files[record["blob"]].size != record["size"]:
        yield "its size is not that of its plan"


def _verification(record: Record, _files: Mapping[str, Blob]) -> Iterator[str]:
    ran = "quantization_id" if record["simulated"] else "engine_id"
    others = {"quantization_id", "engine_id"} - {ran}
    if record[ran] is None or any(record[name] is not None for name in others):
        yield "it is of a rewritten model that was run on a CPU, or of an engine"
    if record["metrics"]["simulated"] != record["simulated"] or ("device" in record["metrics"]) == record["simulated"]:
        yield "its metrics are another one's"


def _recording(record: Record, _files: Mapping[str, Blob]) -> Iterator[str]:
    if len({array["shape"][0] for array in record["outputs"].values()}) != 1:
        yield "its outputs are of unlike numbers of samples"


def _none(_record: Record, _files: Mapping[str, Blob]) -> Iterator[str]:
    yield from ()


_CONTRADICTIONS = {
    "datasets": _dataset,
    "tables": _table,
    "engines": _engine,
    "verifications": _verification,
    "recordings": _recording,
}
