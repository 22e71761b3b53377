"""What a job was to be done with, and whether it is still there: clean-up takes what ended submissions were made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from trtfarm.database.schema import DatasetRow, EngineRow, ObservationRow, QuantizationRow, RecordingRow, TableRow
from trtfarm.errors import UsageError

#: Words of a job's request -> the rows that they name, in the order in which they are made. Models are never removed.
_NAMED: Mapping[str, Any] = {
    "dataset_id": DatasetRow,
    "bases_id": ObservationRow,
    "observations": ObservationRow,
    "table_id": TableRow,
    "quantization_id": QuantizationRow,
    "recording_id": RecordingRow,
    "engine_id": EngineRow,
}


def check_all_there(session: Session, job_id: str, request: Mapping[str, Any]) -> None:
    """Raises UsageError where a job that is to be tried again could not be done any more."""
    lost = [row_id for rows, row_id in _named(request) if session.get(rows, row_id) is None]
    if lost:
        raise UsageError(
            f"{job_id} cannot be done again: {lost[0]}, which it was to be done with, is gone",
            cause="trtfarm clean removed it after the submission had ended",
            remedy="submit again, which makes it anew: trtfarm submit with what was asked for then",
        )


def _named(request: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    for word, rows in _NAMED.items():
        named = request.get(word)
        yield from ((rows, row_id) for row_id in (named if isinstance(named, list) else [named]) if row_id)
