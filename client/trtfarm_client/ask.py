"""What a submission asks for, as a client says it: rows by id or digest, or the start of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from trtfarm.calibrators import CalibrationRule
from trtfarm.submission_request import SubmissionRequest
from trtfarm.targets import BuildTarget


@dataclass(frozen=True, kw_only=True)
class AskedTarget:
    """An engine wanted.

    Without a toolchain, the best that a living worker has is taken, and `tensorrt` may be short.
    """

    compute_capability: str
    toolchain: str | None = None
    tensorrt: str | None = None


@dataclass(frozen=True, kw_only=True)
class AskedRule:
    """How to calibrate; what is None is the calibrator's own, and `batch_size` the model's, or 50 or less."""

    calibrator: str = "minmax"
    batch_size: int | None = None
    before_fusion: bool = True
    quantile: float | None = None
    cutoff: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ask:
    """Calibrate once, build for every target, verify. Shares are 0.01 for one percent.

    `shapes` are written INPUT=MIN:OPT:MAX. What the fields mean is said at `SubmissionRequest`.
    """

    model: str
    targets: Sequence[AskedTarget]
    precision: str = "int8"
    rule: AskedRule | None = None
    candidates: Sequence[AskedRule] = ()
    dataset: str | None = None
    table: str | None = None
    test_dataset: str | None = None
    max_drop: float | None = None
    calibrate_on: AskedTarget | None = None
    explicit: bool = False
    prequantized: bool = False
    restamp: bool = False
    timing_cache: bool = True
    search: bool = False
    priority: int = 0
    shards: int = 1
    require_labels: Sequence[str] = ()
    require_gpu_memory: int | None = None
    rest_in_float16: Sequence[str] = ()
    shapes: Sequence[str] = ()
    quantizer_options: Mapping[str, Any] = field(default_factory=dict)
    converter_options: Mapping[str, Any] = field(default_factory=dict)
    build_options: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False

    @classmethod
    def of_request(cls, request: SubmissionRequest, *, fresh: bool = False) -> Ask:
        """What asks for just this request, nothing of it left to the server."""
        return cls(
            model=request.model_id,
            targets=[_target(target) for target in request.targets],
            precision=request.precision,
            rule=_rule(request.rule) if request.rule else None,
            candidates=[_rule(rule) for rule in request.candidates],
            dataset=request.dataset_id,
            table=request.table_id,
            test_dataset=request.test_dataset_id,
            max_drop=request.max_drop,
            calibrate_on=_target(request.calibrate_on) if request.calibrate_on else None,
            explicit=request.explicit,
            prequantized=request.prequantized,
            restamp=request.restamp,
            timing_cache=request.timing_cache,
            search=request.search,
            priority=request.priority,
            shards=request.shards,
            require_labels=request.require_labels,
            require_gpu_memory=request.require_gpu_memory,
            rest_in_float16=request.rest_in_float16,
            shapes=[_shape(name, profile) for name, profile in request.profiles.items()],
            quantizer_options=request.quantizer_options,
            converter_options=request.converter_options,
            build_options=request.build_options,
            fresh=fresh,
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _target(target: BuildTarget) -> AskedTarget:
    return AskedTarget(
        compute_capability=target.compute_capability, toolchain=target.toolchain, tensorrt=target.tensorrt
    )


def _rule(rule: CalibrationRule) -> AskedRule:
    return AskedRule(
        calibrator=rule.calibrator.value,
        batch_size=rule.batch_size,
        before_fusion=rule.before_fusion,
        quantile=rule.quantile,
        cutoff=rule.cutoff,
    )


def _shape(name: str, profile: Mapping[str, Sequence[int]]) -> str:
    return f"{name}=" + ":".join("x".join(map(str, profile[part])) for part in ("min", "opt", "max"))
