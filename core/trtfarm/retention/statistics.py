"""Statistics of shares of the data: needed until a table is made of them, and worth a while if none was."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from trtfarm.database.batches import batches
from trtfarm.database.clock import from_now
from trtfarm.database.schema import ObservationRow, StepRow, SubmissionRow
from trtfarm.jobs.state import SubmissionState


def spent_statistics(session: Session, seconds: float) -> list[str]:
    """Observations, older than so many seconds, that no submission which goes on has in its plan.

    A submission that failed leaves its own for a while: the next one then does only the share that is missing.
    """
    unfinished = select(StepRow.key).join(SubmissionRow, SubmissionRow.id == StepRow.submission_id)
    needed = unfinished.where(SubmissionRow.state == SubmissionState.ACTIVE, StepRow.key.is_not(None))
    old = ObservationRow.created < from_now(-seconds)
    return list(session.scalars(select(ObservationRow.id).where(old, ObservationRow.key.not_in(needed))))


def forget_statistics(session: Session, seconds: float) -> None:
    """Deletes their rows; their files are garbage then."""
    for some in batches(spent_statistics(session, seconds)):
        session.execute(delete(ObservationRow).where(ObservationRow.id.in_(some)))
