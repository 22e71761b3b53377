"""What was asked for, checked for contradictions, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

from trtfarm.build_options import NEUTRAL
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.candidates import trial_of
from trtfarm.contradictions import check
from trtfarm.precisions import PRECISIONS, REST_IN_FLOAT16, implicit, strongly_typed
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
