"""What the farm knows about the blob store's content."""

# Without annotations from __future__, each of which SQLAlchemy would evaluate whenever the program starts.
from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from trtfarm.database.base import Base, Created, Time
from trtfarm.database.columns import Digest, UtcTime


class BlobRow(Base):
    """A blob that was stored whole; written after the file is safe on disk."""

    __tablename__ = "blobs"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[Created]


class HolderRow(Base):
    """Someone who is about to name a blob in a row; until then, or until it expires, clean-up leaves the blob alone."""

    __tablename__ = "blob_holders"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    holder: Mapped[str] = mapped_column(String(100), primary_key=True)
    expires: Mapped[Time] = mapped_column(UtcTime, index=True)
