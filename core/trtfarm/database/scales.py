"""How a model comes to compute in a lower precision: statistics of its tensors, tables of scales, rewritten models.

A `key` is the digest of everything a result depends on, so equal requests have equal keys: the second writer of the
same thing finds the first one's row.
"""

# Without annotations from __future__, each of which SQLAlchemy would evaluate whenever the program starts.
from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from trtfarm.database.base import Base, Count, Created, DigestText, JsonObject, RowId
from trtfarm.database.columns import Digest, Id, one_of
from trtfarm.origins import TableOrigin


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
