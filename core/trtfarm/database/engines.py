"""Engines, their labels, and the kernel timings that builds leave to each other.

A `key` is the digest of everything a result depends on, so equal requests have equal keys: the second writer of the
same thing finds the first one's row.
"""

# Without annotations from __future__, each of which SQLAlchemy would evaluate whenever the program starts.
from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from trtfarm.database.base import Base, Count, Created, DigestText, JsonObject, RowId
from trtfarm.database.columns import Digest, Id


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
