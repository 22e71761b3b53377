"""From a step whose needs are met to the action it stands for, and to what a worker must know to do it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from trtfarm.actions import ActionKind
from trtfarm.planning import Step
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.works import engines, measurements, models, scales
from trtfarm.submissions.works.ready_step import ReadyStep, Results
from trtfarm.submissions.works.work import Work

_WORKS: dict[ActionKind, Callable[[ReadyStep], Work]] = {
    ActionKind.OBSERVE: scales.observe,
    ActionKind.CALIBRATE: scales.calibrate,
    ActionKind.CHOOSE: scales.choose,
    ActionKind.QUANTIZE: models.quantize,
    ActionKind.SEARCH: models.search,
    ActionKind.CONVERT: models.convert,
    ActionKind.BUILD: engines.build,
    ActionKind.VERIFY: measurements.verify,
    ActionKind.RECORD: measurements.record,
    ActionKind.MEASURE: measurements.measure,
}


def resolve(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    """The work of a step; `results` holds those of the steps it needs. Raises NotFoundError, TableError."""
    return _WORKS[step.kind](ReadyStep(session=session, request=request, step=step, results=results))
