"""Any number of rows, or values, as one parameter: so a statement is the same for one and for a hundred."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnClause,
    ColumnElement,
    Subquery,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
    type_coerce,
)


def many(dialect: str, parameter: str, columns: Iterable[ColumnClause[Any]]) -> Subquery:
    """Rows with these columns, of tables or other ones, whose values are told as `parameter`; see `as_parameter`."""
    wanted, rows = list(columns), bindparam(parameter, type_=Text)
    if dialect == "sqlite":
        each = func.json_each(rows).table_valued("value", name=f"{parameter}_told")
        found = {one: func.json_extract(each.c.value, f"$.{one.name}") for one in wanted}
        return select(*(type_coerce(value, one.type).label(one.name) for one, value in found.items())).subquery()
    typed = [column(one.name, Text if _is_json(one) else one.type) for one in wanted]
    told = func.json_to_recordset(cast(rows, JSON)).table_valued(*typed).render_derived(with_types=True)
    return select(
        *(cast(told.c[one.name], JSON).label(one.name) if _is_json(one) else told.c[one.name] for one in wanted)
    ).subquery()


def as_parameter(rows: Iterable[Mapping[str, Any]]) -> str:
    """The values of rows by the names of their columns; those of columns that hold JSON are `json_text`."""
    return json_text(list(rows))


def plain(columns: Iterable[ColumnClause[Any]], row: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a row as `as_parameter` takes them."""
    return {
        one.name: json_text(value) if _is_json(one) and (value := row[one.name]) is not None else row[one.name]
        for one in columns
    }


def json_text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def among(dialect: str, one: Column[Any], parameter: str) -> ColumnElement[bool]:
    """Whether a column has one of the values that are told as `parameter`, in a list."""
    if dialect == "sqlite":
        each = func.json_each(bindparam(parameter, type_=JSON)).table_valued("value")
        return one.in_(select(each.c.value))
    return one == any_(bindparam(parameter, type_=ARRAY(Text)))


def _is_json(one: ColumnClause[Any]) -> bool:
    return isinstance(one.type, JSON)
