"""What the farm keeps: models, data sets, calibration tables, quantised models, their measurements, engines.

A `key` is the digest of everything a result depends on, so equal requests have equal keys; a `digest` is the digest of
the content itself. Both are unique: the second writer of the same thing finds the first one's row.
"""

# Without annotations from __future__, each of which SQLAlchemy would evaluate whenever the program starts.
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from trtfarm.accuracy import measures
from trtfarm.database.base import Base, Count, Created, DigestText, JsonList, JsonObject, RowId
from trtfarm.database.columns import Digest, Id, one_of
from trtfarm.origins import TableOrigin
from trtfarm.stored_names import STORED_CHARACTERS


class ModelRow(Base):
    """An ONNX model: its graph and, if kept beside it, its external weights."""

    __tablename__ = "models"
    __table_args__ = (Index("ix_models_created_id", "created", "id"),)

    id: Mapped[RowId]
    #: That of the file it first came in.
    name: Mapped[str] = mapped_column(String(STORED_CHARACTERS), index=True)
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    graph_digest: Mapped[DigestText]
    weights_digest: Mapped[DigestText]
    #: Digest of `model.onnx`.
    blob: Mapped[DigestText]
    weights_blob: Mapped[DigestText | None]
    #: Name, dtype and shape of each graph input and output.
    inputs: Mapped[JsonList]
    outputs: Mapped[JsonList]
    nodes: Mapped[Count]
    #: Bytes, weights included.
    size: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[Created]


class ModelNameRow(Base):
    """Another name of a model: an equal one came in a file that is called otherwise."""

    __tablename__ = "model_names"

    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(STORED_CHARACTERS), primary_key=True, index=True)
    created: Mapped[Created]


class DatasetRow(Base):
    """Calibration or test samples, prepared as arrays whose first axis is the samples."""

    __tablename__ = "datasets"
    __table_args__ = (Index("ix_datasets_created_id", "created", "id"),)

    id: Mapped[RowId]
    name: Mapped[str] = mapped_column(String(STORED_CHARACTERS))
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    #: Where the samples came from, as the user named it.
    source: Mapped[str | None]
    samples: Mapped[Count]
    #: Input name -> {blob, dtype, shape}.
    inputs: Mapped[JsonObject]
    #: {blob, dtype, shape} of the labels.
    labels: Mapped[JsonObject | None]
    #: The preprocessing that made the arrays.
    spec: Mapped[JsonObject | None]
    created: Mapped[Created]


class TableRow(Base):
    """A calibration table: the scales as data, and the exact text TensorRT reads."""

    __tablename__ = "tables"
    __table_args__ = (
        Index("ix_tables_model_id_calibrator", "model_id", "calibrator"),
        Index("ix_tables_created_id", "created", "id"),
    )

    id: Mapped[RowId]
    #: Null for a table that no rule of ours can make again, such as an imported one.
    key: Mapped[str | None] = mapped_column(Digest, unique=True)
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"))
    dataset_id: Mapped[str | None] = mapped_column(Id, ForeignKey("datasets.id"))
    calibrator: Mapped[str] = mapped_column(String(32))
    rule: Mapped[JsonObject]
    #: Samples.
    batch_size: Mapped[int | None]
    before_fusion: Mapped[bool]
    #: The TensorRT version of the header, as far as its digits tell.
    tensorrt: Mapped[str | None] = mapped_column(String(32), index=True)
    origin: Mapped[TableOrigin] = mapped_column(one_of(TableOrigin))
    portable: Mapped[bool]
    #: The compute capability it is tied to, if it is not portable.
    device: Mapped[str | None] = mapped_column(String(64))
    #: Digest of the text.
    blob: Mapped[DigestText]
    #: Digest of the scales alone, equal for tables that differ only in their header.
    scales_digest: Mapped[str] = mapped_column(Digest, index=True)
    #: Tensor -> hex of the big-endian float32 amax / 127, in network order.
    scales: Mapped[JsonObject]
    #: Number of scales.
    tensors: Mapped[Count]
    #: The table this one was re-stamped from.
    parent_id: Mapped[str | None] = mapped_column(Id, ForeignKey("tables.id"))
    created: Mapped[Created]


class ObservationRow(Base):
    """Statistics of a model's tensors over a share of the data, of which a table is made with those of the others.

    Clean-up takes it when it is a day old and no submission that goes on needs it.
    """

    __tablename__ = "observations"
    __table_args__ = (Index("ix_observations_model_id_dataset_id", "model_id", "dataset_id"),)

    id: Mapped[RowId]
    key: Mapped[str] = mapped_column(Digest, unique=True)
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"))
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"))
    #: What was observed: `range`, `histogram`, or the `bases` that histograms of all shares begin with.
    statistic: Mapped[str] = mapped_column(String(16))
    #: Samples.
    batch_size: Mapped[Count]
    #: First sample of the share, and the one after its last.
    start: Mapped[Count]
    stop: Mapped[Count]
    #: Digest of the file that the builder wrote.
    blob: Mapped[DigestText]
    created: Mapped[Created]


class QuantizationRow(Base):
    """A model rewritten for a precision: with Q/DQ nodes from a table, in float16 inside, or both."""

    __tablename__ = "quantizations"

    id: Mapped[RowId]
    key: Mapped[str] = mapped_column(Digest, unique=True)
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"), index=True)
    #: Where the scales are from; null for a model without Q/DQ nodes.
    table_id: Mapped[str | None] = mapped_column(Id, ForeignKey("tables.id"), index=True)
    options: Mapped[JsonObject]
    #: Digest of the rewritten ONNX file.
    blob: Mapped[DigestText]
    #: What was quantised and converted, what was left, and why.
    facts: Mapped[JsonObject]
    created: Mapped[Created]


class RecordingRow(Base):
    """What a model computes in FP32 for each sample of a data set: the truth that engines are held to."""

    __tablename__ = "recordings"

    id: Mapped[RowId]
    key: Mapped[str] = mapped_column(Digest, unique=True)
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"))
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"))
    #: Output name -> {blob, dtype, shape}; the first axis is the samples.
    outputs: Mapped[JsonObject]
    created: Mapped[Created]


class VerificationRow(Base):
    """How a rewritten model, or an engine, compares with the FP32 original on held-out data."""

    __tablename__ = "verifications"
    __table_args__ = (
        Index("ix_verifications_quantization_id_created", "quantization_id", "created"),
        Index("ix_verifications_engine_id_created", "engine_id", "created"),
        *(Index(f"ix_verifications_{name}", name) for name in ("top1", "cosine", "lost")),
    )

    id: Mapped[RowId]
    key: Mapped[str] = mapped_column(Digest, unique=True)
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"))
    #: The rewritten model that was run, on a CPU; null where an engine was.
    quantization_id: Mapped[str | None] = mapped_column(Id, ForeignKey("quantizations.id"))
    #: The engine that was run, on its GPU.
    engine_id: Mapped[str | None] = mapped_column(Id, ForeignKey("engines.id"))
    dataset_id: Mapped[str] = mapped_column(Id, ForeignKey("datasets.id"))
    #: Whether INT8 was simulated on a CPU rather than run by an engine.
    simulated: Mapped[bool]
    metrics: Mapped[JsonObject]
    #: What of the metrics is searched for; null where it was not measured, or is not a number.
    top1: Mapped[float | None] = mapped_column(default=lambda context: _measures(context)["top1"])
    cosine: Mapped[float | None] = mapped_column(default=lambda context: _measures(context)["cosine"])
    lost: Mapped[float | None] = mapped_column(default=lambda context: _measures(context)["lost"])
    created: Mapped[Created]


class EngineRow(Base):
    """A TensorRT engine (plan) for one TensorRT version and one compute capability."""

    __tablename__ = "engines"
    __table_args__ = (
        Index("ix_engines_created_id", "created", "id"),
        # What leads a search, then the order of a list, so that nothing is sorted, then what else may be searched for,
        # so that no row is read to pass it over (`catalog/alternatives.py`).
        Index(
            "ix_engines_of_model",
            *("model_id", "created", "id", "tensorrt", "compute_capability", "precision", "calibrator"),
        ),
        Index("ix_engines_of_tensorrt", "tensorrt", "created", "id", "compute_capability", "precision", "calibrator"),
        Index("ix_engines_of_compute_capability", "compute_capability", "created", "id", "precision", "calibrator"),
        Index("ix_engines_of_precision", "precision", "created", "id", "calibrator"),
        Index("ix_engines_of_calibrator", "calibrator", "created", "id"),
    )

    id: Mapped[RowId]
    key: Mapped[str] = mapped_column(Digest, unique=True)
    model_id: Mapped[str] = mapped_column(Id, ForeignKey("models.id"))
    quantization_id: Mapped[str | None] = mapped_column(Id, ForeignKey("quantizations.id"), index=True)
    table_id: Mapped[str | None] = mapped_column(Id, ForeignKey("tables.id"), index=True)
    precision: Mapped[str] = mapped_column(String(16))
    calibrator: Mapped[str | None] = mapped_column(String(32))
    tensorrt: Mapped[str] = mapped_column(String(32))
    #: Name of the toolchain that built it; toolchains live on the workers' hosts.
    toolchain: Mapped[str] = mapped_column(String(100))
    compute_capability: Mapped[str] = mapped_column(String(16))
    #: Model name of the GPU it was tuned on; null when built ahead of time, without one.
    gpu: Mapped[str | None] = mapped_column(String(100))
    profiles: Mapped[JsonObject]
    options: Mapped[JsonObject]
    #: Digest of the plan.
    blob: Mapped[str] = mapped_column(Digest, index=True)
    #: Digest of the builder's log.
    log_blob: Mapped[DigestText | None]
    #: Bytes of the plan.
    size: Mapped[int] = mapped_column(BigInteger)
    #: Layers with their types, how many run in INT8, inputs and outputs, seconds of the build.
    facts: Mapped[JsonObject]
    #: Ed25519 signature of the plan's digest, in base64, and the id of the key that made it; null for older engines.
    signature: Mapped[str | None] = mapped_column(String(100))
    signing_key: Mapped[str | None] = mapped_column(String(80))
    created: Mapped[Created]
    #: Kept by every clean-up.
    pinned: Mapped[bool] = mapped_column(default=False)


class EngineLabelRow(Base):
    """A label of an engine, such as `prod`, in a project; an engine may have several, and several engines the same."""

    __tablename__ = "engine_labels"

    engine_id: Mapped[str] = mapped_column(Id, ForeignKey("engines.id"), primary_key=True)
    project: Mapped[str] = mapped_column(String(100), primary_key=True, default="default")
    label: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)
    created: Mapped[Created]


class TimingCacheRow(Base):
    """Kernel timings that one build leaves to the next of the same TensorRT on the same kind of GPU."""

    __tablename__ = "timing_caches"

    id: Mapped[RowId]
    #: Digest of toolchain kind, exact TensorRT build, GPU model and compute capability.
    key: Mapped[str] = mapped_column(Digest, unique=True)
    tensorrt: Mapped[str] = mapped_column(String(32))
    gpu: Mapped[str] = mapped_column(String(100))
    compute_capability: Mapped[str] = mapped_column(String(16))
    blob: Mapped[DigestText]
    #: Bytes.
    size: Mapped[int] = mapped_column(BigInteger)
    #: Grows with each change: who combines caches replaces the very one that was read.
    revision: Mapped[Count]
    changed: Mapped[Created]


def _measures(context: DefaultExecutionContext) -> dict[str, float | None]:
    """Of the metrics that a row is inserted with."""
    values: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return measures(values["metrics"])
