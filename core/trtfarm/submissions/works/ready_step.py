"""A step whose needs are met, and the rows that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from trtfarm.database.named_rows import Row, row
from trtfarm.database.schema import DatasetRow, QuantizationRow, TableRow
from trtfarm.errors import NotFoundError
from trtfarm.planning import Step
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.model_facts import ModelFacts, model_facts
from trtfarm.targets import BuildTarget

#: Results of a submission's steps by step name: ids of rows, as `results.py` names them.
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ReadyStep:
    """`results` holds those of the steps that it needs. What it asks for and is gone is a NotFoundError."""

    session: Session
    request: SubmissionRequest
    step: Step
    results: Results

    def row(self, kind: type[Row], row_id: str | None) -> Row:
        return row(self.session, kind, row_id)

    @property
    def model(self) -> ModelFacts:
        return model_facts(self.session, self.request.model_id)

    @property
    def data(self) -> DatasetRow:
        """What it is calibrated with."""
        return self.row(DatasetRow, self.request.dataset_id)

    @property
    def test_data(self) -> DatasetRow:
        return self.row(DatasetRow, self.request.test_dataset_id)

    @property
    def target(self) -> BuildTarget:
        if self.step.target is None:
            raise NotFoundError(f"step {self.step.name} names no target")
        return self.step.target

    @property
    def table(self) -> TableRow | None:
        """The table that the scales are from, of a candidate its own; None where they were all given by hand."""
        made = (self.results.get(name, {}).get("table_id") for name in (*self.step.needs, "choose", "calibrate"))
        table_id = self.request.table_id or next(filter(None, made), None)
        return None if table_id is None else self.row(TableRow, table_id)

    @property
    def rewritten(self) -> QuantizationRow | None:
        """The rewritten model that it needs; None where it takes the model as it was handed in."""
        for need in self.step.needs:
            if "quantization_id" in self.results[need]:
                return self.row(QuantizationRow, self.results[need]["quantization_id"])
        return None
