"""Tables that were made of shares of the data, against those of the same data in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from tests.chaos.blob_files import BlobFiles
from trtfarm.actions import REFERENCE_TENSORRT, ActionKind
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.database.schema import DatasetRow, JobRow, ModelRow, TableRow
from trtfarm.farm import Farm
from trtfarm.jobs.state import JobState
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.direct import reference_step


def other_tables(farm: Farm) -> Iterator[str]:
    """Tables of shares that are not, byte for byte, what the calibrator makes of all the data at once."""
    files = BlobFiles(farm.settings)
    with farm.database.read() as session:
        jobs = session.scalars(
            select(JobRow).where(JobRow.kind == ActionKind.CALIBRATE, JobRow.state == JobState.DONE)
        ).all()
        keys = {job.key for job in jobs if "observations" in job.request}
        found = select(TableRow, ModelRow.blob, DatasetRow).join(ModelRow).join(DatasetRow)
        for table, model, data in session.execute(found.where(TableRow.key.in_(keys))):
            inputs = {name: {**array, "path": str(files.path(array["blob"]))} for name, array in data.inputs.items()}
            words = {name: table.rule[name] for name in ("batch_size", "before_fusion", "quantile", "cutoff")}
            rule = CalibrationRule(calibrator=Calibrator(table.calibrator), **words)
            if _in_one_piece(farm, files.path(model), inputs, rule) != files.path(table.blob).read_bytes():
                yield f"table {table.id}, made of shares, is another one than that of all data at once"


def _in_one_piece(farm: Farm, model: Path, inputs: dict[str, dict[str, str]], rule: CalibrationRule) -> bytes:
    args = {"model": str(model), "inputs": inputs, "rule": rule.as_dict()}
    with reference_step(farm.settings, "calibrate", args, lambda _event: None) as answer:
        scales = answer.result["scales"]
    return CalibrationTable.of(scales, rule, TensorRTVersion.parse(REFERENCE_TENSORRT)).render()
