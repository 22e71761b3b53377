"""Jobs per second through the whole farm, against bare Celery that does nothing as often.

The farm is all there: submissions in PostgreSQL, hints through Redis, the reconciler, and four Celery workers that
claim, write events, store blobs, sign engines and commit them. Its builds are trivial: an engine of a few bytes, made
without TensorRT, in the worker's own process or after a builder process that answers at once. Celery does the same
number of tasks that do nothing, with four workers of as many threads on the same Redis. Both do a few before they are
timed: a worker learns how long jobs take. They are timed from the first submission, or message, to the last end. The
processor's time is told by kind of process: it varies less than the rate.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Select, func, select

from benchmarks.peers import celery_worker
from benchmarks.processor_time import ProcessorTime, postgresql_process, redis_process, told
from benchmarks.servers import driven, postgresql, redis_server
from benchmarks.sizes import size
from benchmarks.trivial_worker import TENSORRT
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.schema import EngineRow, SubmissionRow
from trtfarm.farm import Farm
from trtfarm.intake import add_model
from trtfarm.jobs.state import SubmissionState
from trtfarm.models.model import Model
from trtfarm.settings import Settings
from trtfarm.signing.keyring import Keyring
from trtfarm.submission_request import SubmissionRequest
from trtfarm.targets import BuildTarget
from trtfarm_worker.inline import announce
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind

_REPOSITORY = Path(__file__).resolve().parents[1]
_MODEL = _REPOSITORY / "calib_data" / "mnist" / "lenet.onnx"
_WORKERS = size("WORKERS", 4)
#: Threads that submit, as many as an API process has.
_CLIENTS = 12
#: What TensorRT-RTX builds for.
_TARGETS = tuple(
    BuildTarget(compute_capability=word, toolchain="tensorrt-rtx", tensorrt=TENSORRT)
    for word in ("sm_75", "sm_80", "sm_86", "sm_89", "sm_120", "sm_121")
)
#: Jobs, or tasks, that a worker does at once.
_SLOTS = size("SLOTS", 2)
#: Jobs, or tasks, that are done before any are timed.
_BEFORE = 240
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 600.0
_WANTED = 0.5
_BUILDERS = {"inside": "builds in the worker", "process": "a builder process each"}


@dataclass(frozen=True, kw_only=True)
class _Took:
    """Seconds until the last job was submitted and until the last one was done, and of a processor, by process."""

    submitted: float
    done: float
    used: Mapping[str, float]


def run() -> None:
    jobs = size("JOBS", 2_000)
    # Files are kept until all is measured: ext4 looks for a free inode past all that were deleted in the last minutes.
    with redis_server() as broker, ExitStack() as files:
        celery = _celery(broker, jobs)
        bare = jobs / celery.done
        print(
            f"bare Celery, {_WORKERS} workers, {jobs:,} tasks: {bare:.0f} a second; {told(celery.used, jobs)}",
            flush=True,
        )
        with postgresql("results", files=files) as database:
            celery = _celery(broker, jobs, results=database)
        kept = jobs / celery.done
        print(f"Celery that keeps results in PostgreSQL: {kept:.0f} a second; {told(celery.used, jobs)}", flush=True)
        for builder, targets, count in (
            ("inside", 1, jobs),
            ("inside", len(_TARGETS), jobs - jobs % len(_TARGETS)),
            ("process", 1, size("JOBS_WITH_PROCESS", 400)),
        ):
            farm = _farm(broker, builder, count, targets, files)
            rate = count / farm.done
            print(
                f"the farm, {_BUILDERS[builder]}, {count:,} jobs in submissions of {targets}: "
                f"{rate:.1f} a second, {rate / bare:.2f} of bare "
                f"Celery's (wanted: {_WANTED} or more), {rate / kept:.2f} of that with results; "
                f"{_CLIENTS} clients submit {count / farm.submitted:.1f} a second beside the workers; "
                f"{told(farm.used, count)}",
                flush=True,
            )


def _celery(broker: str, tasks: int, results: str | None = None) -> _Took:
    url = f"db+{driven(results)}" if results else None
    app = celery_worker.make_app(broker, url)
    reading, telling = os.pipe()
    arguments = [broker, str(telling), str(_SLOTS), *([url] if url else [])]
    command = [sys.executable, "-m", "benchmarks.peers.celery_worker", *arguments]
    with _running([command] * _WORKERS, os.environ, pass_fds=[telling]) as workers:
        os.close(telling)
        _read(reading, _WORKERS)
        for number in range(_BEFORE):
            app.send_task(celery_worker.TASK, args=[number])
        _read(reading, _BEFORE)
        meter = ProcessorTime({"workers": workers, **_servers(broker, results)})
        begun = time.perf_counter()
        for number in range(tasks):
            app.send_task(celery_worker.TASK, args=[number])
        submitted = time.perf_counter() - begun
        _read(reading, tasks)
        took = _Took(submitted=submitted, done=time.perf_counter() - begun, used=meter.used())
    os.close(reading)
    return took


def _servers(broker: str, database: str | None) -> dict[str, list[int]]:
    """This process, which submits, and the servers."""
    postgresql = {"PostgreSQL": [postgresql_process(database)]} if database else {}
    return {"clients": [os.getpid()], "Redis": [redis_process(broker)], **postgresql}


def _read(descriptor: int, count: int) -> None:
    """Waits for so many bytes."""
    while count:
        count -= len(os.read(descriptor, count))


def _farm(broker: str, builder: str, jobs: int, targets: int, files: ExitStack) -> _Took:
    """So many builds in each submission."""
    home = files.enter_context(tempfile.TemporaryDirectory())
    with postgresql("farm", files=files) as database:
        environment = {
            **os.environ,
            "TRTFARM_HOME": home,
            "TRTFARM_DATABASE_URL": database,
            "TRTFARM_BROKER_URL": broker,
            "TRTFARM_SLOTS": str(_SLOTS),
        }
        settings = Settings.from_environment(environment)
        ToolchainRegistry(settings.home).put(_toolchain())
        Keyring.of(settings).signer()  # made before the workers want it
        reading, telling = os.pipe()
        worker = [sys.executable, "-m", "benchmarks.trivial_worker", builder, str(telling)]
        reconciler = [sys.executable, "-m", "trtfarm_cli", "reconciler"]
        programs = [*[worker] * _WORKERS, reconciler]
        with Farm.open(settings) as farm, _running(programs, environment, pass_fds=[telling]) as (*workers, last):
            os.close(telling)
            model = add_model(farm, Model.read(_MODEL))
            _read(reading, _WORKERS)
            os.close(reading)
            processes = {"workers": workers, "reconciler": [last], **_servers(broker, database)}
            return _timed(farm, processes, model, jobs // targets, targets)


def _timed(farm: Farm, processes: Mapping[str, Sequence[int]], model: str, submissions: int, targets: int) -> _Took:
    before = _BEFORE // targets
    with ThreadPoolExecutor(_CLIENTS) as clients:
        _submit_all(farm, clients, model, range(before), targets)
        _wait_for_all(farm)
        meter = ProcessorTime(processes)
        begun = time.perf_counter()
        _submit_all(farm, clients, model, range(before, before + submissions), targets)
    submitted = time.perf_counter() - begun
    _wait_for_all(farm)
    took = _Took(submitted=submitted, done=time.perf_counter() - begun, used=meter.used())
    _check(farm, (before + submissions) * targets, before + submissions)
    return took


def _submit_all(farm: Farm, clients: ThreadPoolExecutor, model: str, numbers: Iterable[int], targets: int) -> None:
    list(clients.map(lambda number: _submit(farm, _request(model, number, targets)), numbers))


def _wait_for_all(farm: Farm) -> None:
    unfinished = select(func.count()).where(SubmissionRow.state == SubmissionState.ACTIVE)
    _wait(lambda: _count(farm, unfinished) == 0)


def _submit(farm: Farm, request: SubmissionRequest) -> None:
    """As the API does it."""
    announce(farm, farm.submit(request)[1], wanted=True)


def _request(model: str, number: int, targets: int) -> SubmissionRequest:
    """Builds that nobody has asked for before: their option is in their keys."""
    options = {"workspace_bytes": (1 << 20) + number}
    return SubmissionRequest(model_id=model, precision="fp32", targets=_TARGETS[:targets], build_options=options)


def _toolchain() -> Toolchain:
    """What the workers offer; nothing of it is ever loaded."""
    known = tuple(ComputeCapability.parse(target.compute_capability) for target in _TARGETS)
    return Toolchain(
        name="trivial",
        kind=ToolchainKind.TENSORRT_RTX,
        python=Path(sys.executable),
        version=TENSORRT,
        capabilities=Capabilities(compute_capabilities=known, precisions=("fp32",)),
    )


def _check(farm: Farm, jobs: int, submissions: int) -> None:
    """Raises RuntimeError unless every submission is done and each job has an engine of its own."""
    done = _count(farm, select(func.count()).where(SubmissionRow.state == SubmissionState.DONE))
    engines = _count(farm, select(func.count()).select_from(EngineRow))
    if (done, engines) != (submissions, jobs):
        with farm.database.read() as session:
            error = session.scalars(select(SubmissionRow.error).where(SubmissionRow.error.is_not(None))).first()
        raise RuntimeError(
            f"of {submissions} submissions {done} are done, with {engines} engines; the first error is {error}"
        )


def _count(farm: Farm, statement: Select[int]) -> int:
    with farm.database.read() as session:
        return session.scalars(statement).one()


def _wait(reached: Callable[[], bool]) -> None:
    """Asks again and again; raises TimeoutError."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError("the farm does not get there")
        time.sleep(_LOOK_SECONDS)


@contextmanager
def _running(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], *, pass_fds: Sequence[int] = ()
) -> Iterator[list[int]]:
    """Programs that run as long as the block does; yields the ids of their processes."""
    with ExitStack() as stack, tempfile.TemporaryFile() as said:
        processes = []
        for command in commands:
            process = subprocess.Popen(
                command, cwd=_REPOSITORY, env=environment, pass_fds=pass_fds, stdout=said, stderr=said
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            processes.append(process.pid)
        yield processes
