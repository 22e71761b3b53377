"""What the jobs of a submission need of their workers: known of each step before its job is."""

from __future__ import annotations

from collections.abc import Callable, Collection

from sqlalchemy.orm import Session

from trtfarm import routing
from trtfarm.actions import ActionKind
from trtfarm.planning import Step, plan
from trtfarm.requirements import ANYWHERE, Requirements, whole_gib
from trtfarm.routing import Need
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.model_facts import model_facts
from trtfarm.waiting import check_possible, nobody
from trtfarm.workers import Worker

_GIB = 1 << 30
#: Bytes of a weight that was float32, at least: TensorRT may keep it in any type that the precision allows.
_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}


def need_of(session: Session, request: SubmissionRequest, step: Step) -> Need:
    """What a worker must offer for a step.

    Where nobody says how much memory of a GPU it takes, it is the least that the model's weights fill, in whole GiB
    rounded down: for TensorRT's own calibration as they are stored, for a build and its run in the smallest type of the
    precision. The workspace is not counted, whose limit says what a builder may take and not what it needs.
    """
    target = request.calibrate_on if step.kind is ActionKind.CALIBRATE else step.target
    capability = routing.needed(vars(target)) if target else routing.CPU
    memory = _memory(session, request, step) if routing.gpu_of(capability) else 0
    return Need(capability, Requirements(labels=request.require_labels, gpu_memory_gib=memory))


def check_placed(
    session: Session,
    request: SubmissionRequest,
    workers: Callable[[], Collection[Worker]],
    here: Callable[[Need], bool] = nobody,
) -> None:
    """Raises NoWorkerError for a request with a step that nobody could do for what it says that it requires.

    What was derived refuses nothing: its jobs wait, and are told why. `workers` are those that are known, who are away
    among them; `here` says what this process would do itself.
    """
    if not request.require_labels and request.require_gpu_memory is None:
        return
    needs = [need_of(session, request, step) for step in plan(request) if step.kind is not ActionKind.CHOOSE]
    particular = [need for need in dict.fromkeys(needs) if need.requires != ANYWHERE and not here(need)]
    if particular:
        check_possible(particular, workers())


def _memory(session: Session, request: SubmissionRequest, step: Step) -> int:
    """GiB."""
    if request.require_gpu_memory is not None:
        return whole_gib(request.require_gpu_memory)
    model = model_facts(session, request.model_id)
    if step.target is None:
        return model.size // _GIB
    return model.size * _BYTES.get(request.precision_for(step.target), 1) // 4 // _GIB
