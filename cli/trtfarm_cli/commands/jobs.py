"""`trtfarm jobs …`: what runs, what ran, and why something did not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm_cli import exits, output
from trtfarm_cli.opening import open_farm
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm.jobs.job import Event, Job

app = typer.Typer(help="Jobs: what runs, what ran, and why something did not.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, or its start.")]


@app.command("list")
def list_(
    *,
    state: Annotated[str | None, typer.Option(help="queued, running, done, failed, cancelled or quarantined.")] = None,
    kind: Annotated[str | None, typer.Option(help="calibrate, quantize, verify or build.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    json: Json = False,
) -> None:
    """The newest jobs, newest first."""
    from trtfarm.errors import UsageError
    from trtfarm.jobs.queries import list_jobs
    from trtfarm.jobs.state import JobState

    if state is not None and state not in list(JobState):
        raise UsageError(f"no state {state!r}", remedy="use one of: " + ", ".join(JobState))
    with open_farm() as farm:
        jobs = list_jobs(farm.database, state=JobState(state) if state else None, kind=kind, limit=limit)
    if json:
        output.emit_json([as_plain(job) for job in jobs])
    else:
        output.emit_table(
            [as_plain(job) for job in jobs],
            {"id": None, "kind": None, "state": None, "attempt": None, "created": output.moment, "what": None},
        )


@app.command()
def show(job: JobId, *, json: Json = False) -> None:
    """One job with all that is known of it."""
    with open_farm() as farm:
        found = as_plain(farm.job(job))
    if json:
        output.emit_json(found)
    else:
        output.emit_fields(found)


@app.command()
def logs(job: JobId, *, json: Json = False) -> None:
    """What the builder of a job said, line by line."""
    with open_farm() as farm:
        _print_events(_events_after(farm.database, farm.job(job).id, 0), json=json)


@app.command()
def watch(job: JobId, *, json: Json = False) -> None:
    """Follows a job until it has ended. Ctrl-C stops watching, not the job."""
    from trtfarm.jobs.watching import until_ended

    with open_farm() as farm:
        found = farm.job(job)
        ended = until_ended(farm.database, farm.jobs, found.id, lambda events: _print_events(events, json=json))
    output.say(f"{ended.id} is {ended.state}")
    if ended.state != "done":
        raise typer.Exit(exits.FAILED)


@app.command()
def cancel(job: JobId, *, json: Json = False) -> None:
    """Ends a queued job, and asks the worker of a running one to stop."""
    with open_farm() as farm:
        now = farm.cancel(farm.job(job).id)
    _say_state(now, json=json)


@app.command()
def retry(job: JobId, *, json: Json = False) -> None:
    """Queues a job that failed, was cancelled or quarantined again."""
    with open_farm() as farm:
        now = farm.jobs.retry(farm.job(job).id)
    _say_state(now, json=json)


def as_plain(job: Job) -> dict[str, Any]:
    """A job for `--json`; `what` says in a few words what it is about."""
    request = job.request
    about = [request.get("compute_capability"), request.get("toolchain"), request.get("tensorrt")]
    rule = request.get("rule") or {}
    about += [rule.get("calibrator")]
    return {**asdict(job), "state": job.state.value, "what": " ".join(str(word) for word in about if word)}


def _events_after(database: Any, job_id: str, after: int) -> list[Event]:
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
            typer.echo(f"{output.moment(event.at)}  {event.attempt}  {_words(event)}")


def _words(event: Event) -> str:
    data = event.data
    if event.kind == "log":
        return f"{data['level']}: {data['text']}"
    if event.kind == "progress":
        total = "" if data["total"] is None else f"/{data['total']}"
        return f"{data['stage']} {data['done']}{total} {data['unit']}"
    return f"{event.kind}: " + ", ".join(f"{key} {value}" for key, value in data.items())


def _say_state(job: Job, *, json: bool) -> None:
    if json:
        output.emit_json(as_plain(job))
    else:
        asked = ", asked to stop" if job.cancel_requested and job.state.live else ""
        typer.echo(f"{job.id} is {job.state}{asked}")
