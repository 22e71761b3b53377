"""Whether the files of a bundle are what its rows say: read by the functions that read what users hand in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from io import BytesIO
from math import prod
from typing import TYPE_CHECKING

from trtfarm.blob_intake import stored_model
from trtfarm.blobs.store import Blob
from trtfarm.bundles.container import Container
from trtfarm.bundles.kinds import Record
from trtfarm.bundles.manifest import Manifest
from trtfarm.database.schema import TableRow
from trtfarm.datasets.files import Reader
from trtfarm.datasets.npy import read_header
from trtfarm.errors import BundleError, DataError
from trtfarm.farm import Farm
from trtfarm.intake import model_columns
from trtfarm.submissions.reuse import algorithm_of
from trtfarm.tables.headers import VersionHeader
from trtfarm.tables.validation import load
from trtfarm.versions import TensorRTVersion

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable

_AGAIN = "export it again on the farm that made it, and find out what happened to it there: trtfarm fsck"


def files_of(
    container: Container, manifest: Manifest, tables: dict[str, CalibrationTable], tell: Callable[[], None]
) -> Iterator[tuple[Blob, Iterator[bytes]]]:
    """Each file of a bundle with its bytes, to be read to their end before the next one.

    Tables come into `tables` by the digests of their texts. `tell` is called as bytes are read. Raises as `read_table`.
    """
    texts = defaultdict(list)
    for record in manifest.rows["tables"]:
        texts[record["blob"]].append(record)
    for blob in manifest.blobs:
        content = _told(container.blob(blob), tell)
        for record in texts.get(blob.digest, ()):
            text = b"".join(content)
            tables[blob.digest] = read_table(record, text, container.name)
            content = iter([text])
        yield blob, content


def _told(content: Iterator[bytes], tell: Callable[[], None]) -> Iterator[bytes]:
    for piece in content:
        tell()
        yield piece


def read_table(record: Record, text: bytes, name: str) -> CalibrationTable:
    """The table of a row. Raises TableError for one that TensorRT would misread, BundleError for another one."""
    table = load(text, name=f"table {record['id']} of {name}")
    row = TableRow(calibrator=record["calibrator"], rule=record["rule"])
    header = table.header.word if isinstance(table.header, VersionHeader) else str(table.header)
    version = None if record["tensorrt"] is None else TensorRTVersion.parse(record["tensorrt"])
    if table.scales_digest != record["scales_digest"]:
        raise _other("table", record, name, "its scales are others")
    if header != algorithm_of(row) or (table.version and version and not version.matches(table.version)):
        raise _other("table", record, name, f"its text begins with {str(table.header)!r:.80}")
    return table


def check_model(farm: Farm, record: Record, name: str) -> None:
    """Reads a model that was stored. Raises ModelError for what is none, BundleError for another one."""
    found = model_columns(stored_model(farm, record["blob"], record["weights_blob"]))
    if differing := [column for column, value in found.items() if record[column] != value]:
        raise _other("model", record, name, f"its {', '.join(differing)} would be others")


def check_recording(farm: Farm, record: Record, name: str) -> None:
    """Reads the beginnings of arrays that were stored. Raises BundleError for others than the row tells."""
    for array in record["outputs"].values():
        start = next(farm.blobs.stream(array["blob"]), b"")
        try:
            header = read_header(Reader(array["blob"], BytesIO(start)))
        except DataError as error:
            raise _other("recording", record, name, error.message) from error
        told = array["dtype"], array["shape"]
        size = len(header.raw) + header.dtype.itemsize * prod(header.shape)
        if (str(header.dtype), [*header.shape]) != told or size != farm.blobs.size(array["blob"]):
            raise _other("recording", record, name, f"{array['blob']} is another array")


#: Kind -> what reads the files of its rows when they are stored. Tables are read on their way.
CHECKS = {"models": check_model, "recordings": check_recording}


def _other(word: str, record: Record, name: str, cause: str) -> BundleError:
    return BundleError(f"{word} {record['id']} of {name} is not what the bundle says", cause=cause, remedy=_AGAIN)
