"""The request that what a client asks for becomes: the one that the same words become on this machine.

What is left out is filled in as the program does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from trtfarm.calibrators import CalibrationRule
from trtfarm.catalog.lookup import find_one
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.schema import DatasetRow, ModelRow, TableRow
from trtfarm.errors import DataError, UsageError
from trtfarm.models.shapes import profile_of
from trtfarm.models.summary import TensorType
from trtfarm.precisions import check_precision
from trtfarm.requirements import MOST_REQUIRED, labels_of
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.fitting import check_fit, data_of, tensor_types
from trtfarm.targets import BuildTarget
from trtfarm.versions import TensorRTVersion
from trtfarm_api.asking import Asked, AskedRule, AskedTarget
from trtfarm_api.choosing import Choose, Chosen, Wanted


def request_of(session: Session, asked: Asked, choose: Choose, project: str | None = None) -> SubmissionRequest:
    """The request, found fit, of what a project sees.

    Raises every InputError, NotFoundError and ToolchainError that submitting files does.
    """
    # Before a toolchain is looked for, of which none has it.
    check_precision(asked.precision)
    named = _Named.by(session, asked, project)
    profile = profile_of(named.inputs, asked.shapes, named.shapes())
    chosen = [_target(target, asked.precision, choose) for target in asked.targets]
    request = SubmissionRequest(
        **named.ids(),
        precision=asked.precision,
        targets=tuple(one.target for one in chosen),
        rule=None if asked.rule is None else named.rule(asked.rule),
        candidates=tuple(map(named.rule, asked.candidates)),
        max_drop=asked.max_drop,
        calibrate_on=_target(asked.calibrate_on, asked.precision, choose).target if asked.calibrate_on else None,
        explicit=asked.explicit or asked.search or asked.prequantized,
        prequantized=asked.prequantized,
        restamp=asked.restamp,
        timing_cache=asked.timing_cache,
        rest_in_float16=_in_float16(asked, chosen),
        search=asked.search,
        priority=asked.priority,
        shards=asked.shards,
        require_labels=labels_of(asked.require_labels, most=MOST_REQUIRED),
        require_gpu_memory=asked.require_gpu_memory,
        profiles=profile.as_dict(),
        quantizer_options=asked.quantizer_options.model_dump(),
        converter_options=asked.converter_options.model_dump(),
        build_options=asked.build_options,
    )
    check_fit(session, request, profile)
    return request


@dataclass(frozen=True, kw_only=True)
class _Named:
    """The rows that a client named; None where it named none."""

    model: ModelRow
    data: DatasetRow | None
    test_data: DatasetRow | None
    table: TableRow | None

    @classmethod
    def by(cls, session: Session, asked: Asked, project: str | None) -> _Named:
        return cls(
            model=find_one(session, ModelRow, asked.model, project),
            data=find_one(session, DatasetRow, asked.dataset, project) if asked.dataset else None,
            test_data=find_one(session, DatasetRow, asked.test_dataset, project) if asked.test_dataset else None,
            table=find_one(session, TableRow, asked.table, project) if asked.table else None,
        )

    def ids(self) -> dict[str, Any]:
        """As the fields of a request."""
        return {
            "model_id": self.model.id,
            "dataset_id": self.data.id if self.data else None,
            "test_dataset_id": self.test_data.id if self.test_data else None,
            "table_id": self.table.id if self.table else None,
        }

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        return tensor_types(self.model)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Input -> shape of its samples, the number of which comes first."""
        data_sets = [data_of(row) for row in (self.data, self.test_data) if row]
        return {name: array.shape for data in data_sets for name, array in data.inputs.items()}

    def rule(self, asked: AskedRule) -> CalibrationRule:
        if self.data is None:
            raise DataError("there is nothing to calibrate with", remedy="name a data set, or leave the rule out")
        return asked.rule(data_of(self.data).samples, self.inputs)


def _in_float16(asked: Asked, chosen: Sequence[Chosen]) -> tuple[str, ...]:
    """Of the request's targets, in their order. Raises UsageError for one that is none of them."""
    targets = [str(one.target) for one in chosen]
    if strangers := sorted(set(asked.rest_in_float16) - set(targets)):
        raise UsageError(f"rest_in_float16 names {', '.join(strangers)}", remedy="name targets of this submission")
    return tuple(str(one.target) for one in chosen if one.rest_in_float16 or str(one.target) in asked.rest_in_float16)


def _target(asked: AskedTarget, precision: str, choose: Choose) -> Chosen:
    capability = ComputeCapability.parse(asked.compute_capability)
    version = TensorRTVersion.wanted(asked.tensorrt) if asked.tensorrt else None
    if asked.toolchain is None:
        return choose(Wanted(compute_capability=capability, tensorrt=version, precision=precision))
    if version is None or version.build is None:
        raise UsageError(
            f"{asked.toolchain} for {capability} needs an exact version", remedy="name it as in tensorrt: 8.5.3.1"
        )
    return Chosen(
        target=BuildTarget(compute_capability=str(capability), toolchain=asked.toolchain, tensorrt=str(version))
    )
