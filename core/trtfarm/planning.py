"""From what was asked to the steps that give it: pure, so that a dry run and a submission plan alike.

A plan is a small graph: calibrate once; rewrite the model for targets that run what the ONNX says; one build per
target. Engines built ahead of time are not measured here, so what they are made of is, on the CPU, and with an accuracy
gate their builds wait for it. An engine that was built on a GPU is measured there, against recorded FP32 outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trtfarm.actions import ActionKind
from trtfarm.calibrators import CalibrationRule
from trtfarm.candidates import trial_of
from trtfarm.precisions import PRECISIONS
from trtfarm.shards import Share, bases_of, shares_of
from trtfarm.submission_request import SubmissionRequest
from trtfarm.targets import BuildTarget


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
