"""What is handed in: models, and data to calibrate and to test with.

A `digest` is that of the content, so that what is equal is kept once: its second writer finds the first one's row.
"""

# Without annotations from __future__, each of which SQLAlchemy would evaluate whenever the program starts.
from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from trtfarm.database.base import Base, Count, Created, DigestText, JsonList, JsonObject, RowId
from trtfarm.database.columns import Digest, Id
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
