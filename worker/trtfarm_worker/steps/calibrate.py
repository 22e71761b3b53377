"""Calibration by the reference calibrator: model, data and rule -> a table."""

from __future__ import annotations

from sqlalchemy.orm import Session

from trtfarm.actions import REFERENCE_REVISION, REFERENCE_TENSORRT
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.database.schema import DatasetRow, ModelRow, TableRow
from trtfarm.errors import BuilderCrashError
from trtfarm.ids import new_id
from trtfarm.origins import TableOrigin
from trtfarm.submissions.resolve import row
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.inputs import arrays, model_file
from trtfarm_worker.steps.rows import keep_bytes, put
from trtfarm_worker.steps.step import Commit, Invocation, Task
from trtfarm_worker.toolchains.registry import reference_toolchain


def prepare(task: Task) -> Invocation:
    request = task.job.request
    with task.farm.database.read() as session:
        model = row(session, ModelRow, request["model_id"])
        dataset = row(session, DatasetRow, request["dataset_id"])
    return Invocation(
        toolchain=reference_toolchain(),
        step="calibrate",
        args={"model": model_file(task, model), "inputs": arrays(task, dataset), "rule": request["rule"]},
    )


def keep(task: Task, answer: BuilderAnswer) -> Commit:
    if answer.result["revision"] != REFERENCE_REVISION:
        raise BuilderCrashError(
            f"the reference calibrator follows rules of revision {answer.result['revision']}, not {REFERENCE_REVISION}",
            cause="worker and builder are of different releases",
            remedy="install one release of trtfarm on this worker",
        )
    request = task.job.request
    rule = CalibrationRule(**{**request["rule"], "calibrator": Calibrator(request["rule"]["calibrator"])})
    scales = answer.result["scales"]
    table = CalibrationTable.of(scales, rule, TensorRTVersion.parse(REFERENCE_TENSORRT))
    blob = keep_bytes(task, table.render())

    def commit(session: Session) -> dict[str, str]:
        stored = put(
            session,
            task,
            TableRow,
            [blob],
            id=new_id("tab"),
            model_id=request["model_id"],
            dataset_id=request["dataset_id"],
            calibrator=rule.calibrator.value,
            rule=rule.as_dict() | {"samples": answer.result["samples"], "engine": answer.result["engine"]},
            batch_size=rule.batch_size,
            before_fusion=rule.before_fusion,
            tensorrt=REFERENCE_TENSORRT,
            origin=TableOrigin.REFERENCE,
            portable=rule.portable,
            blob=blob.digest,
            scales_digest=table.scales_digest,
            scales=dict(scales),
            tensors=len(scales),
        )
        return {"table_id": stored}

    return commit
