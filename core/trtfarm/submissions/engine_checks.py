"""An engine held to FP32 on data of one's choice: the jobs that a submission would have for it, one after the other."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.actions import ActionKind
from trtfarm.catalog.visibility import visible
from trtfarm.database.named_rows import row
from trtfarm.database.schema import DatasetRow, EngineRow, RecordingRow, VerificationRow
from trtfarm.errors import ToolchainError, UsageError
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import check_row
from trtfarm.signing.statement import EngineStatement
from trtfarm.submissions.model_facts import model_facts
from trtfarm.submissions.results import find
from trtfarm.submissions.works.measurements import measuring_work, recording_work
from trtfarm.submissions.works.work import Work
from trtfarm.targets import TENSORRT, BuildTarget

#: What is done for a verification, in this order.
KINDS = (ActionKind.RECORD, ActionKind.MEASURE)


def usual_dataset(session: Session, engine: EngineRow, project: str | None = None) -> str:
    """The data that the engine's model was verified with last, of those that a project sees.

    Raises UsageError where it never was.
    """
    newest = VerificationRow.created.desc(), VerificationRow.id.desc()
    wanted = select(VerificationRow.dataset_id).join(DatasetRow, DatasetRow.id == VerificationRow.dataset_id)
    wanted = wanted.where(VerificationRow.model_id == engine.model_id, *visible(DatasetRow, project))
    found = session.scalar(wanted.order_by(*newest).limit(1))
    if found is None:
        raise UsageError(
            "no data is known to verify with",
            cause="nothing of this engine's model was verified before",
            remedy="name data with --data, and the classes of its samples with --labels",
        )
    return found


def check_run_by_farms(statement: EngineStatement, name: str) -> None:
    """Raises ToolchainError for an engine that is for applications alone; `name` is what the user calls it."""
    if statement.toolchain != TENSORRT:
        raise ToolchainError(
            f"{name} is an engine of {statement.toolchain}, which is built here and run elsewhere",
            cause="the farm runs engines of TensorRT alone",
            remedy="trtfarm engines pull writes it to a file for an application with "
            f"{statement.toolchain} {statement.tensorrt}",
        )


def check_runs(farm: Farm, engine: EngineRow) -> BuildTarget:
    """What runs an engine. Raises SignatureError, and ToolchainError for one that the farm does not run."""
    statement = EngineStatement.of_row(engine)
    check_row(Keyring.of(farm.settings), engine)
    check_run_by_farms(statement, engine.id)
    return BuildTarget(
        compute_capability=statement.compute_capability, toolchain=statement.toolchain, tensorrt=statement.tensorrt
    )


def next_of_check(
    farm: Farm,
    engine: EngineRow,
    dataset_id: str,
    *,
    profile: int | None = None,
    fresh: Collection[ActionKind] = (),
    project: str = "default",
) -> Job | VerificationRow:
    """The job that has to end before the next one is asked for, live or quarantined; or what was measured.

    It is run in the optimization profile of that number, or in the first that takes the data. Steps in `fresh` are done
    again, whatever is stored; but what came from another farm without its model cannot be recorded again. Raises as
    `check_runs` does.
    """
    target = check_runs(farm, engine)
    with farm.database.write() as session:
        model, dataset = model_facts(session, engine.model_id), row(session, DatasetRow, dataset_id)
        whole = farm.complete(session, [blob for blob in (model.blob, model.weights_blob) if blob])
        recorded = _found(farm, session, recording_work(model, dataset), fresh if whole else (), project)
        if isinstance(recorded, Job):
            return recorded
        recording = row(session, RecordingRow, recorded)
        work = measuring_work(model, dataset, engine, recording, target, profile=profile)
        measured = _found(farm, session, work, fresh, project)
        return measured if isinstance(measured, Job) else row(session, VerificationRow, measured)


def _found(farm: Farm, session: Session, work: Work, fresh: Collection[ActionKind], project: str) -> Job | str:
    """The id of the result's row, or the job that makes it."""
    action = work.action
    found = None if action.kind in fresh else find(session, action, farm.complete)
    if found is not None:
        [row_id] = found.values()
        return str(row_id)
    request = {**work.request, "fields": dict(action.fields)}
    return farm.jobs.submit(session, kind=action.kind.value, key=action.key, request=request, project=project)[0]
