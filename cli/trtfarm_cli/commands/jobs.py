"""`trtfarm jobs …`: what runs, what ran, and why something did not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm.actions import ActionKind
from trtfarm.jobs.state import JobState
from trtfarm_cli import exits, output
from trtfarm_cli.opening import open_farm
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm.database.session import Database
    from trtfarm.jobs.job import Event, Job

app = typer.Typer(help="Jobs: what runs, what ran, and why something did not.", no_args_is_help=True)

#: For those who queue a job and do not see it through.
NO_WORKER = (
    "no worker is up: start one with trtfarm up, or run the same trtfarm submit again, which does its jobs itself"
)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, or its start.")]


@app.command("list")
def list_(
    *,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Annotated[ActionKind | None, typer.Option(help="Only jobs of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many at most.")] = 50,
    json: Json = False,
) -> None:
    """Lists jobs, newest first."""
    from trtfarm.jobs.queries import list_jobs

    with open_farm() as farm:
        jobs = list_jobs(farm.database, state=state, kind=kind.value if kind else None, limit=limit)
        found = as_plain(farm.database, jobs)
    if json:
        output.emit_json(found)
        return
    columns = {"id": None, "kind": None, "model": None, "what": None, "state": None, "attempt": None}
    output.emit_table(found, columns | {"created": output.moment, "seconds": "{:.1f}".format})


@app.command()
def show(job: JobId, *, json: Json = False) -> None:
    """Shows all that is known of one job; of a queued one, why nobody does it."""
    from trtfarm.workers import list_workers, why_waiting
    from trtfarm_worker.presence import forget_dead

    with open_farm() as farm:
        wanted = farm.job(job)
        [found] = as_plain(farm.database, [wanted])
        if wanted.state is JobState.QUEUED:
            forget_dead(farm)
            found["waits"] = why_waiting(wanted.capability, list_workers(farm.database)) or "for its turn"
    if json:
        output.emit_json(found)
        return
    output.emit_fields({name: value for name, value in found.items() if name != "error"})
    if found["error"]:
        from trtfarm.errors import error_from_dict

        output.emit(f"\nerror: {error_from_dict(found['error'])}")


@app.command()
def logs(job: JobId, *, json: Json = False) -> None:
    """Prints the history of a job, and what its builder said."""
    with open_farm() as farm:
        _print_events(_events_after(farm.database, farm.job(job).id, 0), json=json)


@app.command()
def watch(job: JobId, *, json: Json = False) -> None:
    """Follows a job to its end.

    Ctrl-C stops watching, not the job. Exit code 1 when the job fails.
    """
    from trtfarm.jobs.watching import until_ended

    with open_farm() as farm:
        found = farm.job(job)
        ended = until_ended(farm.database, farm.jobs, found.id, lambda events: _print_events(events, json=json))
    output.say(f"{ended.id} is {ended.state}")
    if ended.state is not JobState.DONE:
        raise typer.Exit(exits.FAILED)


@app.command()
def cancel(job: JobId, *, json: Json = False) -> None:
    """Ends a queued job, and asks the worker of a running one to stop."""
    with open_farm() as farm:
        now = farm.cancel(farm.job(job).id)
        [found] = as_plain(farm.database, [now])
    _say_state(found, json=json)


@app.command()
def retry(job: JobId, *, json: Json = False) -> None:
    """Queues a job again that failed, was cancelled or quarantined.

    The submissions that it ended go on.
    """
    from trtfarm_worker.inline import announce
    from trtfarm_worker.presence import workers_up

    with open_farm() as farm:
        now, submissions = farm.retry(farm.job(job).id)
        announce(farm, [now.id])
        [found] = as_plain(farm.database, [now])
        if not workers_up(farm):
            output.say(NO_WORKER)
    _say_state(found | {"submissions": submissions}, json=json)
    if not json:
        for submission in submissions:
            output.emit(f"{submission} goes on")


def as_plain(database: Database, jobs: Collection[Job]) -> list[dict[str, Any]]:
    """Jobs for `--json`: with the name of the model, in `what` what it is about, in `seconds` how long it ran."""
    from sqlalchemy import select

    from trtfarm.database.schema import ModelRow

    ids = {job.request.get("model_id") for job in jobs}
    with database.read() as session:
        names = dict(session.execute(select(ModelRow.id, ModelRow.name).where(ModelRow.id.in_(ids))).tuples().all())
    return [
        {
            **asdict(job),
            "model": names.get(str(job.request.get("model_id"))),
            "what": _what(job.request),
            "seconds": (job.finished - job.started).total_seconds() if job.finished and job.started else None,
        }
        for job in jobs
    ]


def _what(request: Mapping[str, Any]) -> str:
    words = [request.get(name) for name in ("precision", "compute_capability", "toolchain", "tensorrt")]
    rule = request.get("rule") or {}
    return " ".join(str(word) for word in [rule.get("calibrator"), *words] if word)


def _events_after(database: Database, job_id: str, after: int) -> list[Event]:
    from trtfarm.jobs.history import events_since

    events: list[Event] = []
    while page := events_since(database, job_id, after):
        events += page
        after = page[-1].id
    return events


def _print_events(events: list[Event], *, json: bool) -> None:
    for event in events:
        if json:
            output.emit_json_line(asdict(event))
        else:
            output.emit(f"{output.moment(event.at)}  attempt {event.attempt}  {_words(event)}")
    output.flush()


def _words(event: Event) -> str:
    from trtfarm.jobs.history import STATE_CHANGED

    data = event.data
    if event.kind == "log":
        return f"{data['level']}: {data['text']}"
    if event.kind == "progress":
        total = "" if data["total"] is None else f"/{data['total']}"
        return f"{data['stage']} {data['done']}{total} {data['unit']}"
    if event.kind != STATE_CHANGED:
        return f"{event.kind}: " + ", ".join(f"{name} {value}" for name, value in data.items())
    words = [str(data["to"])]
    words += [str(data["note"])] if data.get("note") else []
    words += [f"by {data['owner']}"] if data.get("owner") else []
    words += [f"after an error: {data['error']['message']}"] if data.get("error") else []
    return ", ".join(words)


def _say_state(job: Mapping[str, Any], *, json: bool) -> None:
    if json:
        output.emit_json(job)
    else:
        asked = ", asked to stop" if job["cancel_requested"] and job["state"].live else ""
        output.emit(f"{job['id']} is {job['state']}{asked}")
