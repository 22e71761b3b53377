"""What a search finds: frozen values that say in words and digests what the rows say in ids."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trtfarm.origins import TableOrigin

if TYPE_CHECKING:
    from trtfarm.database.inputs import DatasetRow, ModelRow


#: The word under which tables' rules tell what their calibration warned of, for all who find the table later.
WARNINGS = "warnings"


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
    labels: list[str]
    metrics: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True, kw_only=True)
class TableEntry:
    """A calibration table; `digest` is its text's, `tensors` the number of scales, `batch_size` in samples.

    `warnings` are its calibration's.
    """

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
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model; `size` in bytes with its weights, inputs and outputs as {name, dtype, dims}."""

    id: str
    name: str
    digest: str
    graph_digest: str
    weights_digest: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    nodes: int
    size: int
    created: datetime

    @classmethod
    def of(cls, row: ModelRow) -> ModelEntry:
        return cls(
            id=row.id,
            name=row.name,
            digest=row.digest,
            graph_digest=row.graph_digest,
            weights_digest=row.weights_digest,
            inputs=row.inputs,
            outputs=row.outputs,
            nodes=row.nodes,
            size=row.size,
            created=row.created,
        )


@dataclass(frozen=True, kw_only=True)
class DataSetEntry:
    """A data set; inputs by name and labels as {blob, dtype, shape}, `preprocessing` what was done to each input."""

    id: str
    name: str
    digest: str
    source: str | None
    samples: int
    inputs: dict[str, dict[str, Any]]
    labels: dict[str, Any] | None
    preprocessing: dict[str, Any]
    created: datetime

    @classmethod
    def of(cls, row: DatasetRow) -> DataSetEntry:
        return cls(
            id=row.id,
            name=row.name,
            digest=row.digest,
            source=row.source,
            samples=row.samples,
            inputs=row.inputs,
            labels=row.labels,
            preprocessing=row.spec or {},
            created=row.created,
        )


def _plain(entry: EngineEntry | TableEntry) -> dict[str, Any]:
    """The entry as JSON values: times in ISO 8601."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(entry).items()}
