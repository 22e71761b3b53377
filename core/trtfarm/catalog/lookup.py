"""Finding one row by what a person types: an id, or as much of it as is needed."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from trtfarm.catalog.visibility import visible
from trtfarm.database.access import TokenRow
from trtfarm.database.base import Base
from trtfarm.database.engines import EngineRow
from trtfarm.database.inputs import DatasetRow, ModelRow
from trtfarm.database.scales import TableRow
from trtfarm.database.work import JobRow, SubmissionRow, WorkerRow
from trtfarm.errors import NotFoundError, UsageError

Row = TypeVar("Row", bound=Base)

#: What a person calls the rows, and the column that holds a digest they may name it by.
_WORDS: dict[type[Base], tuple[str, str | None]] = {
    ModelRow: ("model", "digest"),
    DatasetRow: ("data set", "digest"),
    TableRow: ("table", "blob"),
    EngineRow: ("engine", "blob"),
    JobRow: ("job", None),
    SubmissionRow: ("submission", None),
    WorkerRow: ("worker", None),
    TokenRow: ("token", None),
}
_SHOWN = 5
#: Only the newest ids are compared with a wrong one: it is they that people mistype.
_COMPARED = 200


def find_one(session: Session, row_type: type[Row], text: str, project: str | None = None) -> Row:
    """The row whose id is `text`, or the only one whose id or digest (`sha256:…`) starts with it, of all that are seen.

    Raises NotFoundError, with the ids that look most like it, or UsageError if several rows start so.
    """
    rows: Any = row_type
    word, digest = _WORDS[row_type]
    seen = visible(row_type, project)
    exact = session.scalars(select(rows).where(rows.id == text, *seen)).one_or_none()
    if exact is not None:
        return cast(Row, exact)
    starts = [rows.id.startswith(text, autoescape=True)]
    if digest is not None:
        starts.append(getattr(rows, digest).startswith(text, autoescape=True))
    newest_first = (rows.started if row_type is WorkerRow else rows.created).desc(), rows.id.desc()
    matching = select(rows).where(or_(*starts), *seen).order_by(*newest_first).limit(_SHOWN)
    found: Sequence[Any] = session.scalars(matching).all() if text else []
    if not found:
        ids = session.scalars(select(rows.id).where(*seen).order_by(*newest_first).limit(_COMPARED)).all()
        raise NotFoundError(f"there is no {word} {text!r}", remedy=_near(text, ids))
    if len(found) > 1:
        several = ", ".join(row.id for row in found)
        raise UsageError(f"several {word}s start with {text!r}", cause=several, remedy="write more of the id")
    return cast(Row, found[0])


def _near(text: str, ids: Sequence[str]) -> str:
    near = get_close_matches(text, ids, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "list what there is and copy its id" if ids else "there is none yet"
