"""What all tables share: the metadata with its naming of constraints, and the columns that most rows have."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, mapped_column

from trtfarm.database.clock import now
from trtfarm.database.columns import Digest, Id, Json, UtcTime

#: Every constraint has a name, because a later migration can only drop what it can name.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)


RowId = Annotated[str, mapped_column(Id, primary_key=True)]
DigestText = Annotated[str, mapped_column(Digest)]
JsonObject = Annotated[dict[str, Any], mapped_column(Json)]
JsonList = Annotated[list[Any], mapped_column(Json)]
Time = Annotated[datetime, mapped_column(UtcTime)]
Created = Annotated[datetime, mapped_column(UtcTime, default=now())]
Count = Annotated[int, mapped_column(Integer)]
