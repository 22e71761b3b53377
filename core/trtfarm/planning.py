"""From what was asked to the steps that give it: pure, so that a dry run and a submission plan alike.

A plan is a small graph: calibrate once, quantise and convert once, then one build per target beside the verification.
With an accuracy gate the builds wait for the verification, so that no engine is built that would not be wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from trtfarm.actions import ActionKind
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What is done to a model for a precision: Q/DQ nodes, and float16 where it had float32."""

    quantized: bool
    float16: bool


#: Precisions that a submission can ask for. INT8 means the layers that can be; the word behind it is for the rest.
PRECISIONS: Mapping[str, Precision] = {
    "int8": Precision(quantized=True, float16=False),
    "int8+fp16": Precision(quantized=True, float16=True),
    "fp16": Precision(quantized=False, float16=True),
    "fp32": Precision(quantized=False, float16=False),
}


@dataclass(frozen=True, kw_only=True)
class BuildTarget:
    """One engine wanted: for a compute capability (`sm_89`), by a kind of toolchain of one exact version."""

    compute_capability: str
    toolchain: str
    tensorrt: str

    def __str__(self) -> str:
        return f"{self.compute_capability} {self.toolchain}-{self.tensorrt}"


@dataclass(frozen=True, kw_only=True)
class SubmissionRequest:
    """All that was asked for, with models and data already stored; ids are rows of the database.

    Either `dataset_id` and `rule` (calibrate) or `table_id` (use this table) for int8, alone or with fp16; neither for
    the others. `converter_options` say what stays in float32 beside fp16.
    `profiles` maps an input's name to its min, opt and max shape. `max_drop` is a share: 0.01 is one percent.
    """

    model_id: str
    precision: str
    targets: tuple[BuildTarget, ...]
    rule: CalibrationRule | None = None
    dataset_id: str | None = None
    table_id: str | None = None
    test_dataset_id: str | None = None
    max_drop: float | None = None
    profiles: Mapping[str, Any] = field(default_factory=dict)
    quantizer_options: Mapping[str, Any] = field(default_factory=dict)
    converter_options: Mapping[str, Any] = field(default_factory=dict)
    build_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(f"no precision {self.precision!r}", remedy="use one of: " + ", ".join(PRECISIONS))
        if not self.targets:
            raise UsageError("no target to build for", remedy="name one with --target sm_89")
        if len(set(self.targets)) < len(self.targets):
            raise UsageError("a target is named twice", remedy="name each once")
        if PRECISIONS[self.precision].quantized:
            self._check_scales()
        else:
            self._check_unquantized()
        if self.max_drop is not None:
            self._check_gate(self.max_drop)

    def _check_scales(self) -> None:
        calibrates = self.dataset_id is not None and self.rule is not None
        neither = self.dataset_id is None and self.rule is None
        if not (calibrates and self.table_id is None) and not (neither and self.table_id is not None):
            raise UsageError(
                f"{self.precision} needs scales, from one place",
                remedy="hand in calibration data and a calibrator, or a table",
            )

    def _check_unquantized(self) -> None:
        useless = {"calibration data": self.dataset_id, "a calibrator": self.rule, "a table": self.table_id}
        if not PRECISIONS[self.precision].float16:
            useless["test data"] = self.test_dataset_id
        given = [what for what, value in useless.items() if value is not None]
        if given:
            raise UsageError(
                f"{self.precision} has no use for {', '.join(given)}", remedy="leave it out, or ask for int8"
            )

    def _check_gate(self, max_drop: float) -> None:
        if self.test_dataset_id is None:
            raise UsageError(
                "an accuracy gate needs data that was not used for calibration",
                remedy="hand it in with --test-data, or leave --max-drop out",
            )
        if not 0 <= max_drop <= 1:
            raise UsageError(f"an accuracy gate of {max_drop:.2%} is not possible", remedy="use 0 to 100 percent")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "rule": self.rule.as_dict() if self.rule else None,
            "targets": [asdict(t) for t in self.targets],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SubmissionRequest:
        """The request that `as_dict` wrote."""
        rule = data["rule"]
        return cls(
            **{
                **data,
                "rule": CalibrationRule(**{**rule, "calibrator": Calibrator(rule["calibrator"])}) if rule else None,
                "targets": tuple(BuildTarget(**target) for target in data["targets"]),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One action of a plan; `needs` names the steps whose results it takes."""

    name: str
    kind: ActionKind
    needs: tuple[str, ...] = ()
    target: BuildTarget | None = None


def plan(request: SubmissionRequest) -> tuple[Step, ...]:
    """The steps of a submission, each after those it needs."""
    precision = PRECISIONS[request.precision]
    steps: list[Step] = []
    onnx_from: tuple[str, ...] = ()
    if precision.quantized:
        if request.table_id is None:
            steps.append(Step(name="calibrate", kind=ActionKind.CALIBRATE))
        needs = ("calibrate",) if request.table_id is None else ()
        steps.append(Step(name="quantize", kind=ActionKind.QUANTIZE, needs=needs))
        onnx_from = ("quantize",)
    if precision.float16:
        steps.append(Step(name="convert", kind=ActionKind.CONVERT, needs=onnx_from))
        onnx_from = ("convert",)
    if request.test_dataset_id is not None:
        steps.append(Step(name="verify", kind=ActionKind.VERIFY, needs=onnx_from))
    gate = ("verify",) if request.max_drop is not None else ()
    steps.extend(
        Step(name=f"build {target}", kind=ActionKind.BUILD, needs=onnx_from + gate, target=target)
        for target in request.targets
    )
    return tuple(steps)
