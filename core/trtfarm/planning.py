"""From what was asked to the steps that give it: pure, so that a dry run and a submission plan alike.

A plan is a small graph: calibrate once; rewrite the model for targets that run what the ONNX says; one build per
target. Engines built ahead of time are not measured here, so what they are made of is, on the CPU, and with an accuracy
gate their builds wait for it. An engine that was built on a GPU is measured there, against recorded FP32 outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

from trtfarm.actions import ActionKind
from trtfarm.build_options import NEUTRAL
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.candidates import trial_of
from trtfarm.contradictions import check
from trtfarm.precisions import PRECISIONS, REST_IN_FLOAT16, implicit, strongly_typed
from trtfarm.shards import Share, bases_of, shares_of
from trtfarm.targets import BuildTarget


@dataclass(frozen=True, kw_only=True)
class SubmissionRequest:
    """All that was asked for, with models and data already stored; ids are rows of the database.

    Either `dataset_id` and `rule` (calibrate) or `table_id` (use this table) for int8, alone or with fp16; neither for
    the others. With `candidates` in place of `rule`, each of them calibrates and the best is kept. `calibrate_on` is
    where TensorRT itself calibrates; without it the reference calibrator does, on a CPU.
    `explicit` asks for Q/DQ nodes also where a table would do, and goes with `prequantized`: the model has them, and so
    its scales come from nowhere else. `converter_options` say what stays in float32 beside
    fp16. `profiles` maps an input's name to its min, opt and max shape. `max_drop` is a share: 0.01 is one percent.
    `restamp` takes tables of other release lines of TensorRT. Without `timing_cache` kernels are timed anew.
    `rest_in_float16` names targets whose toolchain lacks the float32 that int8 leaves the rest of a model in.
    With `search`, the nodes that lose too much for `max_drop` are looked for on the data of `dataset_id`, and left out.
    Jobs of a higher `priority` go first. The reference calibrates in `shards` shares of the data, which workers observe
    at the same time. Its jobs run on workers with all of `require_labels`, and on GPUs of `require_gpu_memory` bytes or
    more; None is what `submissions.placement` knows of them.
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
    prequantized: bool = False
    rest_in_float16: tuple[str, ...] = ()
    search: bool = False
    priority: int = 0
    shards: int = 1
    require_labels: tuple[str, ...] = ()
    require_gpu_memory: int | None = None
    profiles: Mapping[str, Any] = field(default_factory=dict)
    quantizer_options: Mapping[str, Any] = field(default_factory=dict)
    converter_options: Mapping[str, Any] = field(default_factory=dict)
    build_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)

    def implicit(self, target: BuildTarget) -> bool:
        """Whether the target takes its scales from a table, and not from Q/DQ nodes."""
        return implicit(self.precision, target, self.build_options, explicit=self.explicit)

    def precision_for(self, target: BuildTarget) -> str:
        """What is built for the target, and what its engine says that it is."""
        rest_in_float16 = str(target) in self.rest_in_float16
        return REST_IN_FLOAT16.get(self.precision, self.precision) if rest_in_float16 else self.precision

    def converted(self, target: BuildTarget) -> bool:
        """Whether the target takes a model that was rewritten to float16."""
        return strongly_typed(target, self.build_options) and PRECISIONS[self.precision_for(target)].float16

    def in_one_go(self) -> BuildTarget | None:
        """The target whose engine TensorRT can build in the same go as it calibrates: the only one, so that nothing
        else waits for the table, and with nothing asked of the build that would change what the calibration sees."""
        alone = self.targets == (self.calibrate_on,) and self.implicit(self.targets[0]) and not self.candidates
        plain = self.precision == "int8" and set(self.build_options) <= NEUTRAL
        return self.targets[0] if alone and plain else None

    @property
    def named(self) -> tuple[str | None, ...]:
        """The rows that somebody handed in."""
        return self.model_id, self.dataset_id, self.test_dataset_id, self.table_id

    @property
    def rules(self) -> tuple[CalibrationRule, ...]:
        """What is calibrated by."""
        return self.candidates or ((self.rule,) if self.rule else ())

    def compares(self, step: str) -> bool:
        """Whether a step of this name is there only to compare a candidate with the others."""
        return any(step in astuple(trial_of(rule)) for rule in self.candidates)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, those of options as they are."""
        return vars(self) | {
            "rule": self.rule.as_dict() if self.rule else None,
            "candidates": [rule.as_dict() for rule in self.candidates],
            "targets": [dict(vars(target)) for target in self.targets],
            "calibrate_on": dict(vars(self.calibrate_on)) if self.calibrate_on else None,
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
                "require_labels": tuple(data.get("require_labels", ())),
            }
        )


def _rule(data: Mapping[str, Any]) -> CalibrationRule:
    return CalibrationRule(**{**data, "calibrator": Calibrator(data["calibrator"])})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One action of a plan; `needs` names the steps whose results it takes, `rule` is what a calibration goes by.

    An observation is of a `share` of the data, and nobody needs it when the steps that it `serves` have their results.
    """

    name: str
    kind: ActionKind
    needs: tuple[str, ...] = ()
    target: BuildTarget | None = None
    rule: CalibrationRule | None = None
    share: Share | None = None
    serves: tuple[str, ...] = ()

    @property
    def known_early(self) -> bool:
        """Whether its key does not depend on its needs: a table is the same however the data was cut."""
        return self.kind is ActionKind.CALIBRATE and bool(self.needs)


def plan(request: SubmissionRequest) -> tuple[Step, ...]:
    """The steps of a submission, each after those it needs."""
    precision = PRECISIONS[request.precision]
    steps = _calibration(request)
    scales = (steps[-1].name,) if steps else ()
    quantized: tuple[str, ...] = ()
    if precision.quantized and not request.prequantized and not all(map(request.implicit, request.targets)):
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
    shards = request.shards
    if request.rule:
        return [*_observations({"calibrate": request.rule}, shards), _calibrated("calibrate", request.rule, shards)]
    steps = _observations({trial_of(rule).calibrate: rule for rule in request.candidates}, shards)
    for rule in request.candidates:
        trial = trial_of(rule)
        steps += (
            _calibrated(trial.calibrate, rule, shards),
            Step(name=trial.quantize, kind=ActionKind.QUANTIZE, needs=(trial.calibrate,)),
            Step(name=trial.verify, kind=ActionKind.VERIFY, needs=(trial.quantize,)),
        )
    if steps:
        needs = tuple(name for rule in request.candidates for name in (trial_of(rule).calibrate, trial_of(rule).verify))
        steps.append(Step(name="choose", kind=ActionKind.CHOOSE, needs=needs))
    return steps


def _calibrated(name: str, rule: CalibrationRule, shards: int) -> Step:
    needs = tuple(share.step for share in shares_of(rule, shards))
    return Step(name=name, kind=ActionKind.CALIBRATE, needs=needs, rule=rule)


def _observations(calibrations: Mapping[str, CalibrationRule], shards: int) -> list[Step]:
    """What is observed of shares of the data, once for all the calibrations that go by it."""
    served: dict[Share, list[str]] = {}
    for name, rule in calibrations.items():
        for share in shares_of(rule, shards):
            for wanted in filter(None, (bases_of(share), share)):
                served.setdefault(wanted, []).append(name)
    return [
        Step(
            name=share.step,
            kind=ActionKind.OBSERVE,
            needs=(bases.step,) if (bases := bases_of(share)) else (),
            share=share,
            serves=tuple(dict.fromkeys(names)),
        )
        for share, names in served.items()
    ]


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
