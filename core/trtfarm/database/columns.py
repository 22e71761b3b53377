"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Enum, Integer, String, TypeDecorator

from trtfarm.requirements import LONGEST_WORD, Requirements, requirements_of

#: JSON with the order of keys kept: a table's scales are stored in network order, which PostgreSQL's JSONB would lose.
#: Python's None is SQL's NULL, not JSON's null.
Json = JSON(none_as_null=True)
#: `sha256:` and 64 hex digits.
Digest = String(71)
Id = String(40)
#: SQLite numbers rows by itself only in a column declared INTEGER.
Counter = BigInteger().with_variant(Integer(), "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC; naive times are refused, because nobody knows what they mean."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Requires(TypeDecorator[Requirements]):
    """Requirements as a word, which indexes hold and SQL can match; see `jobs.look`."""

    impl = String(LONGEST_WORD)
    cache_ok = True

    def process_bind_param(self, value: Requirements | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.word

    def process_result_value(self, value: str | None, dialect: Dialect) -> Requirements | None:  # noqa: ARG002
        return None if value is None else requirements_of(value)


def one_of(states: type[StrEnum]) -> Enum:
    """A text column whose Python side is the enum; text, so that a new state needs no migration of the type."""
    return Enum(states, native_enum=False, create_constraint=False, length=16, values_callable=list)
