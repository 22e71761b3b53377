"""Who may do what over HTTP, what they did, what they handed in, and what they are still uploading."""

# Without annotations from __future__, each of which SQLAlchemy would evaluate whenever the program starts.
from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from trtfarm.database.base import Base, Created, JsonList, JsonObject, RowId, Time
from trtfarm.database.columns import Counter, Digest, Id, UtcTime


class TokenRow(Base):
    """A secret that opens the API; only its digest is here, so that whoever reads the database cannot use it."""

    __tablename__ = "tokens"

    id: Mapped[RowId]
    #: What its owner calls it.
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    scopes: Mapped[JsonList]
    project: Mapped[str] = mapped_column(String(100))
    created: Mapped[Created]
    expires: Mapped[Time | None]
    revoked: Mapped[Time | None]


class AuditRow(Base):
    """One change that somebody asked for over HTTP, and what became of it."""

    __tablename__ = "audit"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    #: Id of the token, or `local` for whoever needs none.
    actor: Mapped[str] = mapped_column(String(40))
    project: Mapped[str] = mapped_column(String(100))
    #: Method and path.
    action: Mapped[str] = mapped_column(String(300))
    #: HTTP status of the answer.
    status: Mapped[int]
    request_id: Mapped[str] = mapped_column(Id)
    #: What the answer named: ids of rows that were made or changed.
    facts: Mapped[JsonObject]


class GrantRow(Base):
    """Something that a project has because it handed it in or named it: a model, a data set, a table, a blob.

    What its submissions made needs none: it is found by the keys of their steps.
    """

    __tablename__ = "grants"

    project: Mapped[str] = mapped_column(String(100), primary_key=True)
    #: Id of a row, or digest of a blob.
    item: Mapped[str] = mapped_column(Digest, primary_key=True)
    created: Mapped[Created]


class UploadRow(Base):
    """Bytes on their way: how many have come is the size of the file that the API keeps for them."""

    __tablename__ = "uploads"

    id: Mapped[RowId]
    #: What the bytes are to be; they are checked when all have come.
    digest: Mapped[str] = mapped_column(Digest)
    size: Mapped[int] = mapped_column(BigInteger)
    #: Who may go on with it.
    actor: Mapped[str] = mapped_column(String(40))
    created: Mapped[Created]
    expires: Mapped[datetime] = mapped_column(UtcTime, index=True)
