"""How accurate things are: what models compute in FP32, and what was lost in comparison.

A `key` is the digest of everything a result depends on, so equal requests have equal keys: the second writer of the
same thing finds the first one's row.
"""

# Without annotations from __future__, each of which SQLAlchemy would evaluate whenever the program starts.
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from trtfarm.accuracy import measures
from trtfarm.database.base import Base, Created, JsonObject, RowId
from trtfarm.database.columns import Digest, Id


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


def _measures(context: DefaultExecutionContext) -> dict[str, float | None]:
    """Of the metrics that a row is inserted with."""
    values: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return measures(values["metrics"])
