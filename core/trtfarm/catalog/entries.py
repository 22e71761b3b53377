"""What a search finds: frozen values that say in words and digests what the rows say in ids."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from trtfarm.origins import TableOrigin


@dataclass(frozen=True, kw_only=True)
class EngineEntry:
    """An engine; `digest` and `size` (bytes) are its plan's, `table` is a table's id.

    `metrics` are those of its newest verification, where it was run, else of the quantised model it was built from.
    """

    id: str
    model: str
    model_digest: str
    precision: str
    calibrator: str | None
    table: str | None
    tensorrt: str
    toolchain: str
    compute_capability: str
    gpu: str | None
    size: int
    digest: str
    created: datetime
    pinned: bool
    metrics: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True, kw_only=True)
class TableEntry:
    """A calibration table; `digest` is its text's, `tensors` the number of scales, `batch_size` in samples."""

    id: str
    model: str
    model_digest: str
    calibrator: str
    tensorrt: str | None
    batch_size: int | None
    tensors: int
    origin: TableOrigin
    portable: bool
    digest: str
    created: datetime

    def as_dict(self) -> dict[str, Any]:
        return _plain(self)


def _plain(entry: EngineEntry | TableEntry) -> dict[str, Any]:
    """The entry as JSON values: times in ISO 8601."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(entry).items()}
