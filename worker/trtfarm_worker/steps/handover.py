"""What a builder hands over before it has an answer, kept from attempt to attempt in the job's history.

A calibration that goes on to an engine hands over its table. Whatever becomes of the engine, the table is kept:

* the build fails, crashes, hangs or takes too much memory: the calibration is done, and the engine a job of its own,
  which has attempts of its own and says itself what is wrong;
* it is cancelled: the table stays, and whoever asks for it again finds it;
* its worker stops or is killed: the next attempt takes the table from here and ends at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtfarm.errors import CorruptBlobError, MissingBlobError
from trtfarm.jobs.history import newest, record
from trtfarm_worker.builder.request import BuilderAnswer, result_file
from trtfarm_worker.steps.rows import hold_file
from trtfarm_worker.steps.step import Task

#: The kind of its events in a job's history.
HANDED_OVER = "handed over"
#: Names the file among what is handed over, and in an event its blob.
_FILE, _BLOB = "table", "blob"
_FETCHED = "handed-over.table"


def take(task: Task, result: Mapping[str, Any]) -> None:
    """Stores the file and notes all that was said of it. Raises BuilderCrashError where the builder named none."""
    blob = hold_file(task, result_file(task.scratch, result.get(_FILE)))
    noted = {**result, _BLOB: blob.digest}
    record(task.farm.database, task.job.id, task.job.attempt, [(HANDED_OVER, noted)])


def taken(task: Task) -> BuilderAnswer | None:
    """What this attempt of the job or an earlier one handed over, as an answer; None where there is nothing whole."""
    event = newest(task.farm.database, task.job.id, HANDED_OVER)
    if event is None:
        return None
    noted = dict(event.data)
    try:
        task.farm.blobs.materialize(noted.pop(_BLOB), task.scratch / _FETCHED)
    except (CorruptBlobError, MissingBlobError):
        return None
    return BuilderAnswer(
        result={**noted, _FILE: _FETCHED},
        scratch=task.scratch,
        native_log=task.scratch / "native.log",
        seconds=0.0,
        peak_memory_bytes=0,
    )
