"""What a client asks for, as JSON, and the request that it becomes: the one that the same words become on this machine.

Rows are named by id or digest, or the start of one. What is left out is filled in as the program does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.schema import DatasetRow, ModelRow, TableRow
from trtfarm.datasets.fit import batch_size_for
from trtfarm.errors import DataError, ToolchainError, UsageError
from trtfarm.models.shapes import profile_of
from trtfarm.models.summary import TensorType
from trtfarm.planning import SubmissionRequest
from trtfarm.requirements import MOST_MEMORY, MOST_REQUIRED, labels_of
from trtfarm.routing import MOST_URGENT
from trtfarm.shards import MOST_SHARDS
from trtfarm.submissions.fitting import check_fit, data_of, found, tensor_types
from trtfarm.targets import BuildTarget
from trtfarm.versions import TensorRTVersion
from trtfarm_api.forms import writable

_MOST_TARGETS = 100
_MOST_NAMES = 10_000

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
NodeName = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Names = Annotated[list[NodeName], Field(max_length=_MOST_NAMES)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class AskedTarget(_Form):
    """An engine wanted. Without a toolchain, the best that a living worker has is taken."""

    compute_capability: Word
    toolchain: Literal["tensorrt", "tensorrt-rtx"] | None = None
    tensorrt: Annotated[Word | None, Field(description="Exact with a toolchain; else it may be short.")] = None


class AskedRule(_Form):
    """How to calibrate; what is left out is the calibrator's own, and `batch_size` the model's, or 50 or less."""

    calibrator: Calibrator = Calibrator.MINMAX
    batch_size: Annotated[int | None, Field(ge=1, le=1 << 31)] = None
    before_fusion: bool = True
    quantile: float | None = None
    cutoff: float | None = None

    def rule(self, samples: int, inputs: tuple[TensorType, ...]) -> CalibrationRule:
        return CalibrationRule.of(
            self.calibrator,
            batch_size=batch_size_for(self.batch_size, samples, inputs),
            before_fusion=self.before_fusion,
            quantile=self.quantile,
            cutoff=self.cutoff,
        )


class Left(_Form):
    """Nodes, by names or patterns, and operator types that are left as they are."""

    exclude_nodes: Names = []
    exclude_op_types: Names = []


class Asked(_Form):
    """A submission: calibrate once, build for every target, verify."""

    _writable = writable
    model: Word
    precision: Word = "int8"
    targets: Annotated[list[AskedTarget], Field(min_length=1, max_length=_MOST_TARGETS)]
    rule: AskedRule | None = None
    candidates: Annotated[list[AskedRule], Field(max_length=20)] = []
    dataset: Word | None = None
    table: Word | None = None
    test_dataset: Word | None = None
    max_drop: Annotated[float | None, Field(description="A share: 0.01 is one percent.")] = None
    calibrate_on: Annotated[
        AskedTarget | None, Field(description="Where TensorRT itself calibrates; without it, the reference does.")
    ] = None
    explicit: bool = False
    prequantized: Annotated[bool, Field(description="The model has Q/DQ nodes; nothing is calibrated.")] = False
    restamp: bool = False
    timing_cache: bool = True
    search: bool = False
    rest_in_float16: Annotated[
        list[Word],
        Field(max_length=_MOST_TARGETS, description="Targets as `sm_75 tensorrt-rtx-1.7.1.116` that lack float32."),
    ] = []
    shapes: Annotated[
        list[NodeName], Field(max_length=100, description="INPUT=MIN:OPT:MAX, such as x=1x3x32x32:8x3x32x32:32x3x32x32")
    ] = []
    quantizer_options: Left = Left()
    converter_options: Left = Left()
    build_options: dict[str, Any] = {}
    priority: Annotated[int, Field(ge=-MOST_URGENT, le=MOST_URGENT, description="Jobs of a higher one go first.")] = 0
    shards: Annotated[
        int, Field(ge=1, le=MOST_SHARDS, description="Shares of the data, which the reference calibrates at once.")
    ] = 1
    require_labels: Annotated[
        list[Word],
        Field(max_length=MOST_REQUIRED, description="KEY=VALUE; its jobs run on workers that have all of them."),
    ] = []
    require_gpu_memory: Annotated[
        int | None,
        Field(
            ge=0, le=MOST_MEMORY << 30, description="Bytes of the GPUs that its jobs run on; by the model unless given."
        ),
    ] = None
    fresh: Annotated[bool, Field(description="Do every step again, whatever is stored.")] = False


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A target whose toolchain is still to be chosen; `tensorrt` may be short, or None for the newest."""

    compute_capability: ComputeCapability
    tensorrt: TensorRTVersion | None
    precision: str


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Who builds, and whether what stays beside INT8 is float16 there."""

    target: BuildTarget
    rest_in_float16: bool = False


#: Chooses among what living workers have; raises ToolchainError where none can.
Choose = Callable[[Wanted], Chosen]


def nothing_chosen(wanted: Wanted) -> Chosen:
    """Where nobody can choose, clients have to say it themselves."""
    raise ToolchainError(
        f"no toolchain is named for {wanted.compute_capability}", remedy="name toolchain and tensorrt of each target"
    )


def request_of(session: Session, asked: Asked, choose: Choose, project: str | None = None) -> SubmissionRequest:
    """The request, found fit, of what a project sees.

    Raises every InputError, NotFoundError and ToolchainError that submitting files does.
    """
    model_id = found(session, ModelRow, asked.model, project) or ""
    inputs = tensor_types(session.get_one(ModelRow, model_id))
    dataset_id, test_id = (found(session, DatasetRow, text, project) for text in (asked.dataset, asked.test_dataset))
    shapes = {
        name: array.shape
        for row_id in (dataset_id, test_id)
        if row_id is not None
        for name, array in data_of(session.get_one(DatasetRow, row_id)).inputs.items()
    }
    profile = profile_of(inputs, asked.shapes, shapes)
    samples = data_of(session.get_one(DatasetRow, dataset_id)).samples if dataset_id else None
    chosen = [_target(target, asked.precision, choose) for target in asked.targets]
    request = SubmissionRequest(
        model_id=model_id,
        precision=asked.precision,
        targets=tuple(one.target for one in chosen),
        rule=_rule(asked.rule, samples, inputs),
        candidates=tuple(rule for one in asked.candidates if (rule := _rule(one, samples, inputs))),
        dataset_id=dataset_id,
        table_id=found(session, TableRow, asked.table, project),
        test_dataset_id=test_id,
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


def _in_float16(asked: Asked, chosen: Sequence[Chosen]) -> tuple[str, ...]:
    """Of the request's targets, in their order. Raises UsageError for one that is none of them."""
    targets = [str(one.target) for one in chosen]
    if strangers := sorted(set(asked.rest_in_float16) - set(targets)):
        raise UsageError(f"rest_in_float16 names {', '.join(strangers)}", remedy="name targets of this submission")
    return tuple(str(one.target) for one in chosen if one.rest_in_float16 or str(one.target) in asked.rest_in_float16)


def _rule(asked: AskedRule | None, samples: int | None, inputs: tuple[TensorType, ...]) -> CalibrationRule | None:
    if asked is None:
        return None
    if samples is None:
        raise DataError("there is nothing to calibrate with", remedy="name a data set, or leave the rule out")
    return asked.rule(samples, inputs)


def _target(asked: AskedTarget, precision: str, choose: Choose) -> Chosen:
    capability = ComputeCapability.parse(asked.compute_capability)
    version = TensorRTVersion.parse(asked.tensorrt) if asked.tensorrt else None
    if asked.toolchain is None:
        return choose(Wanted(compute_capability=capability, tensorrt=version, precision=precision))
    if version is None or version.build is None:
        raise UsageError(
            f"{asked.toolchain} for {capability} needs an exact version", remedy="name it as in tensorrt: 8.5.3.1"
        )
    return Chosen(
        target=BuildTarget(compute_capability=str(capability), toolchain=asked.toolchain, tensorrt=str(version))
    )
