"""Why a job has no worker that would do it, and the refusal of what no worker could."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from trtfarm import routing
from trtfarm.database.session import Database
from trtfarm.errors import NoWorkerError
from trtfarm.jobs.job import Job
from trtfarm.jobs.state import JobState
from trtfarm.routing import Need
from trtfarm.workers import Worker, list_workers

#: Workers that are named to somebody who waits for one of them.
_SHOWN = 3


def why_waiting(need: Need, workers: Collection[Worker]) -> str | None:
    """Why a queued job with this need has nobody to do it; None where a worker would."""
    alive = [worker for worker in workers if worker.alive]
    fitting = [worker for worker in alive if worker.does(need)]
    if any(worker.ready for worker in fitting):
        return None
    if fitting:
        return f"needs {need}; " + ", ".join(f"{worker.id} offers it but is {worker.state}" for worker in fitting)
    lacking = [f"{worker.id} {why}" for worker in alive if (why := _lacks(worker, need))]
    out = [reason for worker in alive for reason in _out_of_service(worker, routing.gpu_of(need.capability))]
    gone = sorted((one for one in workers if not one.alive and one.does(need)), key=lambda one: one.lease_until)
    away = [
        f"{worker.id} of {worker.host} did, and is gone since {worker.lease_until:%Y-%m-%d %H:%M} UTC"
        for worker in gone[-_SHOWN:]
    ]
    if not lacking:
        up = "; ".join(f"{worker.id} ({', '.join(map(routing.described, worker.capabilities))})" for worker in alive)
        lacking = [f"workers up: {up or 'none'}"]
    return "; ".join([f"needs {need}", "no worker offers it", *out, *away, *_few(lacking)])


def why_waits(database: Database, need: Need) -> str | None:
    """The same, of the farm's workers as they are now."""
    return why_waiting(need, list_workers(database, left=True))


def why_job_waits(database: Database, job: Job) -> str | None:
    """The same of a job; None for one that is not queued."""
    return why_waits(database, job.need) if job.state is JobState.QUEUED else None


def nobody(_need: Need) -> bool:
    """Does nothing: for those who leave it all to workers."""
    return False


def check_possible(needs: Iterable[Need], workers: Collection[Worker]) -> None:
    """Raises NoWorkerError for a need that none of the workers meets, those that are away among them."""
    for need in needs:
        if not any(worker.does(need) for worker in workers):
            lacking = [f"{one.id} of {one.host} {why}" for one in workers if (why := _lacks(one, need))]
            raise NoWorkerError(
                f"no worker can take what needs {need}",
                cause="; ".join(_few(lacking)) or f"none that offers {routing.described(need.capability)} is known",
                remedy=_remedy(need, workers),
            )


def _lacks(worker: Worker, need: Need) -> str | None:
    """What a worker that has the capability lacks besides."""
    if need.capability not in worker.capabilities:
        return None
    missing = sorted(set(need.requires.labels) - set(worker.labels))
    words = [f"has no {', '.join(missing)} (its labels: {', '.join(worker.labels) or 'none'})"] if missing else []
    memory = worker.station.memory(need.capability)
    if need.requires.gpu_memory_gib > memory:
        words.append(f"has no larger {routing.gpu_of(need.capability)} than {memory} GiB")
    return " and ".join(words) or None


def _remedy(need: Need, workers: Collection[Worker]) -> str:
    """By what stands in the way: a label that nobody has, labels that nobody has together, or memory."""
    able = [worker for worker in workers if need.capability in worker.capabilities]
    placed = [worker for worker in able if set(need.requires.labels) <= set(worker.labels)]
    if able and not placed:
        told = " ".join(f"--label {label}" for label in need.requires.labels)
        return f"start one with trtfarm worker {told}, or require labels that trtfarm workers list shows"
    if placed:
        return "start one on a larger GPU, or say with --require-gpu-memory that less will do"
    return "start such a worker, or leave the requirements out"


def _out_of_service(worker: Worker, compute_capability: str | None) -> list[str]:
    return [
        f"{gpu['name']} of {worker.id} is out of service: {gpu['out_of_service']}"
        for gpu in worker.gpus
        if gpu.get("compute_capability") == compute_capability and gpu.get("out_of_service")
    ]


def _few(words: list[str]) -> list[str]:
    return words[:_SHOWN] + ([f"and {len(words) - _SHOWN} more"] if len(words) > _SHOWN else [])
