"""The kinds of jobs that a worker can do."""

from __future__ import annotations

from trtfarm.actions import ActionKind
from trtfarm_worker.steps import build, calibrate, convert, measure, observe, quantize, record, search, verify
from trtfarm_worker.steps.step import StepKind

STEP_KINDS: dict[ActionKind, StepKind] = {
    ActionKind.OBSERVE: observe,
    ActionKind.CALIBRATE: calibrate,
    ActionKind.QUANTIZE: quantize,
    ActionKind.SEARCH: search,
    ActionKind.CONVERT: convert,
    ActionKind.VERIFY: verify,
    ActionKind.BUILD: build,
    ActionKind.RECORD: record,
    ActionKind.MEASURE: measure,
}
