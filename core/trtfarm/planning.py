"""From what was asked to the steps that give it: pure, so that a dry run and a submission plan alike.

A plan is a small graph: calibrate once; rewrite the model for targets that run what the ONNX says; one build per
target. Engines built ahead of time are not measured here, so what they are made of is, on the CPU, and with an accuracy
gate their builds wait for it. An engine that was built on a GPU is measured there, against recorded FP32 outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from typing import Any

from trtfarm.actions import ActionKind
from trtfarm.build_options import DYNAMIC_RANGES, NEUTRAL, check_options
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.candidates import trial_of
from trtfarm.errors import UsageError
from trtfarm.targets import BuildTarget


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What a precision takes: scales for INT8, and float16 where there was float32.

    Where the target is strongly typed, the model is rewritten for it. `by_flag` is a precision that no rewriting gives.
    """

    quantized: bool = False
    float16: bool = False
    by_flag: bool = False


#: Precisions that a submission can ask for. INT8 means the layers that can be; the word behind it is for the rest.
PRECISIONS: Mapping[str, Precision] = {
    "int8": Precision(quantized=True),
    "int8+fp16": Precision(quantized=True, float16=True),
    "fp16": Precision(float16=True),
    "fp32": Precision(),
    "bf16": Precision(by_flag=True),
    "fp8": Precision(by_flag=True),
}
#: What stands in for a precision where a target has no float32 for what stays beside INT8.
REST_IN_FLOAT16: Mapping[str, str] = {"int8": "int8+fp16"}


def implicit(precision: str, target: BuildTarget, *, explicit: bool) -> bool:
    """Whether a target takes its INT8 scales from a table; `explicit` asks for Q/DQ nodes instead."""
    return PRECISIONS[precision].quantized and not target.strongly_typed and not explicit


@dataclass(frozen=True, kw_only=True)
class SubmissionRequest:
    """All that was asked for, with models and data already stored; ids are rows of the database.

    Either `dataset_id` and `rule` (calibrate) or `table_id` (use this table) for int8, alone or with fp16; neither for
    the others. With `candidates` in place of `rule`, each of them calibrates and the best is kept. `calibrate_on` is
    where TensorRT itself calibrates; without it the reference calibrator does, on a CPU.
    `explicit` asks for Q/DQ nodes also where a table would do. `converter_options` say what stays in float32 beside
    fp16. `profiles` maps an input's name to its min, opt and max shape. `max_drop` is a share: 0.01 is one percent.
    `restamp` takes tables of other release lines of TensorRT. Without `timing_cache` kernels are timed anew.
    `rest_in_float16` names targets whose toolchain lacks the float32 that int8 leaves the rest of a model in.
    With `search`, the nodes that lose too much for `max_drop` are looked for on the data of `dataset_id`, and left out.
    """

    model_id: str
    precision: str
    targets: tuple[BuildTarget, ...]
    rule: CalibrationRule | None = None
    candidates: tuple[CalibrationRule, ...] = ()
    dataset_id: str | None = None
    table_id: str | None = None
    test_dataset_id: str | None = None
    max_drop: float | None = None
    calibrate_on: BuildTarget | None = None
    explicit: bool = False
    restamp: bool = False
    timing_cache: bool = True
    rest_in_float16: tuple[str, ...] = ()
    search: bool = False
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
        self._check_types()
        if PRECISIONS[self.precision].quantized:
            self._check_scales()
            self._check_calibration()
        else:
            self._check_unquantized()
        if self.max_drop is not None:
            self._check_gate(self.max_drop)
        if self.search:
            self._check_search()
        for target in self.targets:
            check_options(self.build_options, target.toolchain)

    def implicit(self, target: BuildTarget) -> bool:
        """Whether the target takes its scales from a table, and not from Q/DQ nodes."""
        return implicit(self.precision, target, explicit=self.explicit)

    def precision_for(self, target: BuildTarget) -> str:
        """What is built for the target, and what its engine says that it is."""
        rest_in_float16 = str(target) in self.rest_in_float16
        return REST_IN_FLOAT16.get(self.precision, self.precision) if rest_in_float16 else self.precision

    def converted(self, target: BuildTarget) -> bool:
        """Whether the target takes a model that was rewritten to float16."""
        return target.strongly_typed and PRECISIONS[self.precision_for(target)].float16

    def in_one_go(self) -> BuildTarget | None:
        """The target whose engine TensorRT can build in the same go as it calibrates: the only one, so that nothing
        else waits for the table, and with nothing asked of the build that would change what the calibration sees."""
        alone = self.targets == (self.calibrate_on,) and self.implicit(self.targets[0]) and not self.candidates
        plain = self.precision == "int8" and set(self.build_options) <= NEUTRAL
        return self.targets[0] if alone and plain else None

    @property
    def rules(self) -> tuple[CalibrationRule, ...]:
        """What is calibrated by."""
        return self.candidates or ((self.rule,) if self.rule else ())

    def compares(self, step: str) -> bool:
        """Whether a step of this name is there only to compare a candidate with the others."""
        return any(step in astuple(trial_of(rule)) for rule in self.candidates)

    def _check_types(self) -> None:
        if PRECISIONS[self.precision].by_flag and any(target.strongly_typed for target in self.targets):
            raise UsageError(
                f"{self.precision} is something that TensorRT before 11 is allowed to use; other toolchains run the "
                "types that the model has",
                remedy="export the model in that type, or build it with an older TensorRT",
            )
        if self.explicit and not PRECISIONS[self.precision].quantized:
            raise UsageError(f"{self.precision} has no Q/DQ nodes", remedy="leave --explicit out, or ask for int8")

    def _check_scales(self) -> None:
        calibrates = self.dataset_id is not None and bool(self.rules) and not (self.rule and self.candidates)
        neither = not self.rules and (self.dataset_id is None or self.search)
        by_hand = neither and bool(self.build_options.get(DYNAMIC_RANGES)) and all(map(self.implicit, self.targets))
        from_table = neither and self.table_id is not None
        if not ((calibrates and self.table_id is None) or from_table or by_hand):
            raise UsageError(
                f"{self.precision} needs scales, from one place",
                remedy="hand in calibration data and a calibrator, or a table",
            )

    def _check_calibration(self) -> None:
        """Raises UsageError for calibrations that nobody can do, and for tables that their targets could not take."""
        for rule in self.rules:
            self._check_rule(rule)
        if self.candidates and self.test_dataset_id is None:
            raise UsageError(
                "calibrators are compared on data that was not used for calibration",
                remedy="hand it in with --test-data, or put it into a folder test/ beside the calibration data",
            )

    def _check_rule(self, rule: CalibrationRule) -> None:
        if self.calibrate_on is None and not rule.before_fusion:
            raise UsageError(
                "only TensorRT itself calibrates after fusion", remedy="use --calibrate-with tensorrt on a GPU"
            )
        if self.calibrate_on is not None and not rule.calibrator.native:
            raise UsageError(f"TensorRT has no calibrator {rule.calibrator}", remedy="use --calibrate-with reference")
        others = [target for target in self.targets if target != self.calibrate_on and self.implicit(target)]
        if others and not rule.portable:
            raise UsageError(
                f"a table that is made after fusion is for the GPU that made it, not for {others[0]}",
                remedy="calibrate before fusion, or submit for each target alone",
            )

    def _check_search(self) -> None:
        if any(map(self.implicit, self.targets)) or not PRECISIONS[self.precision].quantized:
            raise UsageError(
                "a search finds nodes that get no Q/DQ nodes, and not every target takes those",
                remedy="ask for explicit int8, or leave the search out",
            )
        if self.max_drop is None:
            raise UsageError("--search needs to know how much may be lost", remedy="add --max-drop 1%")
        if self.dataset_id is None:
            raise UsageError("a search needs calibration data", remedy="hand it in with --data")

    def _check_unquantized(self) -> None:
        useless = {"calibration data": self.dataset_id, "a calibrator": self.rules or None, "a table": self.table_id}
        if not PRECISIONS[self.precision].float16 and not any(target.on_gpu for target in self.targets):
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
            "candidates": [rule.as_dict() for rule in self.candidates],
            "targets": [asdict(t) for t in self.targets],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SubmissionRequest:
        """The request that `as_dict` wrote."""
        rule, calibrate_on = data["rule"], data.get("calibrate_on")
        return cls(
            **{
                **data,
                "rule": _rule(rule) if rule else None,
                "candidates": tuple(map(_rule, data.get("candidates", ()))),
                "targets": tuple(BuildTarget(**target) for target in data["targets"]),
                "calibrate_on": BuildTarget(**calibrate_on) if calibrate_on else None,
                "rest_in_float16": tuple(data.get("rest_in_float16", ())),
            }
        )


def _rule(data: Mapping[str, Any]) -> CalibrationRule:
    return CalibrationRule(**{**data, "calibrator": Calibrator(data["calibrator"])})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One action of a plan; `needs` names the steps whose results it takes, `rule` is what a calibration goes by."""

    name: str
    kind: ActionKind
    needs: tuple[str, ...] = ()
    target: BuildTarget | None = None
    rule: CalibrationRule | None = None


def plan(request: SubmissionRequest) -> tuple[Step, ...]:
    """The steps of a submission, each after those it needs."""
    precision = PRECISIONS[request.precision]
    steps = _calibration(request)
    scales = (steps[-1].name,) if steps else ()
    quantized: tuple[str, ...] = ()
    if precision.quantized and not all(map(request.implicit, request.targets)):
        kind = ActionKind.SEARCH if request.search else ActionKind.QUANTIZE
        steps.append(Step(name=kind.value, kind=kind, needs=scales))
        quantized = (kind.value,)
    if any(map(request.converted, request.targets)):
        steps.append(Step(name="convert", kind=ActionKind.CONVERT, needs=quantized))
    sources = {
        target: scales if request.implicit(target) else ("convert",) if request.converted(target) else quantized
        for target in request.targets
    }
    simulations = _simulations(request, sources)
    steps += simulations.values()
    for target, source in sources.items():
        gated = source in simulations and request.max_drop is not None and not target.on_gpu
        needs = (*source, simulations[source].name) if gated else source
        steps.append(Step(name=f"build {target}", kind=ActionKind.BUILD, needs=needs, target=target))
    return (*steps, *_measurements(request))


def _calibration(request: SubmissionRequest) -> list[Step]:
    """Steps of which the last gives a table. All candidates are quantised as the table that wins will be."""
    if request.rule:
        return [Step(name="calibrate", kind=ActionKind.CALIBRATE, rule=request.rule)]
    steps: list[Step] = []
    for rule in request.candidates:
        trial = trial_of(rule)
        steps += (
            Step(name=trial.calibrate, kind=ActionKind.CALIBRATE, rule=rule),
            Step(name=trial.quantize, kind=ActionKind.QUANTIZE, needs=(trial.calibrate,)),
            Step(name=trial.verify, kind=ActionKind.VERIFY, needs=(trial.quantize,)),
        )
    if steps:
        needs = tuple(name for rule in request.candidates for name in (trial_of(rule).calibrate, trial_of(rule).verify))
        steps.append(Step(name="choose", kind=ActionKind.CHOOSE, needs=needs))
    return steps


def verified_precisions(request: SubmissionRequest) -> dict[str, str]:
    """What each verification of a submission's plan measures, by its step's name."""
    steps = plan(request)
    made_of = {step.needs[:1]: request.precision_for(step.target) for step in steps if step.target and step.needs}
    return {
        step.name: request.precision_for(step.target) if step.target else made_of[step.needs[:1]]
        for step in steps
        if step.kind in {ActionKind.VERIFY, ActionKind.MEASURE} and not request.compares(step.name)
    }


def _simulations(
    request: SubmissionRequest, sources: Mapping[BuildTarget, tuple[str, ...]]
) -> dict[tuple[str, ...], Step]:
    """A verification on the CPU of each rewritten model that engines are built of ahead of time, by what makes it."""
    if request.test_dataset_id is None:
        return {}
    # Sorted, so that of two it is the converted model's that has the longer name.
    ahead = sorted({source for target, source in sources.items() if source and not target.on_gpu}, reverse=True)
    names = ("verify", "verify float16")
    return {
        source: Step(name=name, kind=ActionKind.VERIFY, needs=source)
        for source, name in zip(ahead, names, strict=False)
    }


def _measurements(request: SubmissionRequest) -> list[Step]:
    """FP32's outputs, and each engine that was built on a GPU against them."""
    measured = [target for target in request.targets if target.on_gpu and request.test_dataset_id is not None]
    record = [Step(name="record", kind=ActionKind.RECORD)] if measured else []
    return record + [
        Step(name=f"verify {target}", kind=ActionKind.MEASURE, needs=(f"build {target}", "record"), target=target)
        for target in measured
    ]
