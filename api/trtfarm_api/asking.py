"""What a client asks for, as JSON. Rows are named by id or digest, or the start of one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.datasets.fit import batch_size_for
from trtfarm.models.summary import TensorType
from trtfarm.precisions import PRECISIONS
from trtfarm.requirements import MOST_MEMORY, MOST_REQUIRED
from trtfarm.routing import MOST_URGENT
from trtfarm.shards import MOST_SHARDS
from trtfarm_api.forms import writable
from trtfarm_api.names import Word

_MOST_TARGETS = 100
_MOST_NAMES = 10_000

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
    precision: Annotated[Word, Field(json_schema_extra={"enum": [*PRECISIONS]})] = "int8"
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
