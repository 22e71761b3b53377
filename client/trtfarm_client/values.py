"""JSON as the farm's own frozen values, by their type hints."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from trtfarm.errors import ServerError

Value = TypeVar("Value")


def value_of(kind: type[Value], data: Any) -> Value:
    """The value that JSON stands for; fields that a newer server knows besides are passed over.

    Raises ServerError for what is no such value.
    """
    try:
        return cast(Value, _value(kind, data))
    except (
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
    ) as error:  # JSON's whole numbers may be larger than any float
        raise ServerError(
            f"the server's answer is no {kind.__name__}",
            cause=f"{type(error).__name__}: {error}",
            remedy="see that server and client are of one release: trtfarm version",
        ) from error


def _value(kind: Any, data: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        [wanted] = [one for one in get_args(kind) if one is not types.NoneType]
        return None if data is None else _value(wanted, data)
    if origin in (tuple, list):
        return origin(_value(get_args(kind)[0], one) for one in _checked(data, list))
    if origin in (dict, Mapping):
        return _checked(data, dict)
    if is_dataclass(kind):
        return _made(kind, _checked(data, dict))
    return _plain(kind, data)


def _made(kind: Any, given: Mapping[str, Any]) -> Any:
    return kind(**{name: _value(hint, given[name]) for name, hint in _hints(kind).items()})


def _plain(kind: Any, data: Any) -> Any:
    if kind is datetime:
        return datetime.fromisoformat(data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if kind is float:
        return float(_checked(data, int | float))
    return _checked(data, kind) if kind in (str, int, bool) else data


def _checked(data: Any, kind: Any) -> Any:
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise TypeError(f"{data!r:.80} is not {kind}")
    return data


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The type of each field; resolving them costs more than reading a row does."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
