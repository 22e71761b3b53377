"""Calibration: model, data and rule -> a table, by TensorRT on a GPU where the job names one, else by the reference.

The reference may have observed the data in shares: then their statistics are all that it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from trtfarm.actions import REFERENCE_REVISION, REFERENCE_TENSORRT, Action, ActionKind
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.catalog.entries import WARNINGS
from trtfarm.database.named_rows import row
from trtfarm.database.schema import DatasetRow, ModelRow, ObservationRow, TableRow
from trtfarm.ids import new_id
from trtfarm.origins import TableOrigin
from trtfarm.submissions.results import ALSO
from trtfarm.submissions.reuse import Reuse, algorithm_of
from trtfarm.tables.table import CalibrationTable
from trtfarm.tables.validation import load
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.engines import check_signing_key, keep_engine
from trtfarm_worker.steps.hosts import check_device, check_version, toolchain_of
from trtfarm_worker.steps.inputs import arrays, blob_file, content_of, model_file
from trtfarm_worker.steps.revisions import check_revision
from trtfarm_worker.steps.rows import keep_bytes
from trtfarm_worker.steps.step import Invocation, Outcome, ResultRow, Task
from trtfarm_worker.steps.timing import handed_caches
from trtfarm_worker.toolchains.registry import reference_toolchain

#: So many tensors are named in a warning.
_NAMED = 3
#: What stands before the version in a builder's word for what calibrated.
_NATIVE = "tensorrt "


def prepare(task: Task) -> Invocation:
    request = task.job.request
    with task.farm.database.read() as session:
        model = row(session, ModelRow, request["model_id"])
        dataset = row(session, DatasetRow, request["dataset_id"])
    if "observations" in request:
        return _merging(task, model, dataset)
    args = {"model": model_file(task, model), "inputs": arrays(task, dataset), "rule": request["rule"]}
    if not _is_native(task):
        return Invocation(toolchain=reference_toolchain(), step="calibrate", args=args)
    args["timing_caches"] = handed_caches(task)
    if along := request.get("along"):
        check_signing_key(task)
        wanted = along["request"]
        args |= {**wanted["options"], "build": True, "precision": wanted["precision"], "profiles": wanted["profiles"]}
    return Invocation(toolchain=toolchain_of(task), step="trt-calibrate", args=args)


def _merging(task: Task, model: ModelRow, dataset: DatasetRow) -> Invocation:
    """The table of what was observed of all shares of the data, which nobody has to read again for it."""
    request = task.job.request
    with task.farm.database.read() as session:
        blobs = [row(session, ObservationRow, name).blob for name in request["observations"]]
    statistics = [blob_file(task, blob, f"share{number}.npz") for number, blob in enumerate(blobs, 1)]
    content = content_of(model, dataset)
    args = {"statistics": statistics, "rule": request["rule"], "samples": dataset.samples, "content": content}
    return Invocation(toolchain=reference_toolchain(), step="merge", args=args)


def keep(task: Task, answer: BuilderAnswer) -> Outcome:
    request = task.job.request
    rule = CalibrationRule(**{**request["rule"], "calibrator": Calibrator(request["rule"]["calibrator"])})
    made = (_native if _is_native(task) else _reference)(task, answer, rule)
    blob = keep_bytes(task, made.text)
    warnings = _warnings(answer.result)
    facts = {"samples": answer.result["samples"], "engine": answer.result["engine"], **made.facts, WARNINGS: warnings}
    values: dict[str, Any] = {
        "id": _table_id(task),
        "model_id": request["model_id"],
        "dataset_id": request["dataset_id"],
        "calibrator": rule.calibrator.value,
        "rule": rule.as_dict() | facts,
        "batch_size": rule.batch_size,
        "before_fusion": rule.before_fusion,
        "tensorrt": made.tensorrt,
        "origin": made.origin,
        "portable": rule.portable,
        "device": None if rule.portable else request["compute_capability"],
        "blob": blob.digest,
        "scales_digest": made.table.scales_digest,
        "scales": dict(made.table.scales),
        "tensors": len(made.table.scales),
    }
    # What was handed over in mid-build has no engine with it.
    build = _build_along(task, values) if "build" in answer.result else None
    engines = [keep_engine(task, answer, answer.result["build"], *build)] if build else []
    rows = [ResultRow(kind=TableRow, values={"key": task.job.key, **values}), *engines]
    more = {ALSO: build[1]} if build else {}
    return Outcome(rows=rows, id_name="table_id", more=more, warnings=warnings)


def _warnings(result: Mapping[str, Any]) -> list[str]:
    """Of tensors without a range of their own, or with one that is not to the bit; the reference calibrator tells."""
    skipped, assumed = result.get("skipped", ()), result.get("assumed", ())
    found = [("tensors without a scale", skipped), ("tensors that any scale is right for", assumed)]
    told = [f"{what}: {_some(tensors)}" for what, tensors in found if tensors]
    if unlike := result.get("unlike", ()):
        told.append(
            f"the workers that observed the shards round otherwise than each other: of {len(unlike)} tensors the scale "
            "may differ from that of data in one piece, mostly in its last bits; by more where a tensor saturates"
        )
    return told


def _some(tensors: Sequence[Mapping[str, str]]) -> str:
    named = "; ".join(f"{one['tensor']} ({one['reason']})" for one in tensors[:_NAMED])
    return named if len(tensors) <= _NAMED else f"{named}; and {len(tensors) - _NAMED} more"


def _is_native(task: Task) -> bool:
    return "tensorrt" in task.job.request


@dataclass(frozen=True, kw_only=True)
class _Made:
    """`text` is what TensorRT wrote or would write; `tensorrt` the version that it is of."""

    table: CalibrationTable
    text: bytes
    tensorrt: str
    origin: TableOrigin
    facts: Mapping[str, Any]


def _reference(task: Task, answer: BuilderAnswer, rule: CalibrationRule) -> _Made:  # noqa: ARG001 - as `_native`
    check_revision("the reference calibrator", answer.result["revision"], REFERENCE_REVISION)
    table = CalibrationTable.of(answer.result["scales"], rule, TensorRTVersion.parse(REFERENCE_TENSORRT))
    return _Made(table=table, text=table.render(), tensorrt=REFERENCE_TENSORRT, origin=TableOrigin.REFERENCE, facts={})


def _native(task: Task, answer: BuilderAnswer, rule: CalibrationRule) -> _Made:
    """The table exactly as TensorRT wrote it. Raises TableError for one that TensorRT itself could not build from."""
    version, device = str(answer.result["engine"]).removeprefix(_NATIVE), answer.result["device"]
    check_version(task, version)
    check_device(task, device)
    text = answer.file("table").read_bytes()
    table = load(text, name=f"the table that TensorRT {version} wrote", expected=rule.calibrator)
    place = {name: device[name] for name in ("name", "compute_capability")}
    seconds = answer.result["calibration_seconds"]
    return _Made(
        table=table,
        text=text,
        tensorrt=version,
        origin=TableOrigin.NATIVE,
        facts={"device": place, "calibration_seconds": seconds},
    )


def _build_along(task: Task, table: Mapping[str, Any]) -> tuple[dict[str, Any], str] | None:
    """Request and key of the build that was done in the same go, as they are now that the table is known."""
    along = task.job.request.get("along")
    if along is None:
        return None
    scales = {"scales": table["scales_digest"], "algorithm": algorithm_of(TableRow(**table))}
    origin = {"table_id": table["id"], "calibrator": table["calibrator"], "reuse": Reuse.EXACT.value}
    key = Action(ActionKind.BUILD, {**along["fields"], **scales}).key
    return {**along["request"], **origin}, key


def _table_id(task: Task) -> str:
    """That of the row which is there already, where the table is made again."""
    with task.farm.database.read() as session:
        known = session.scalars(select(TableRow.id).where(TableRow.key == task.job.key)).one_or_none()
    return known or new_id("tab")
