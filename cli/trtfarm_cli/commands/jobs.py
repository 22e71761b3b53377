"""`trtfarm jobs …`: what runs, what ran, and why something did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm.actions import ActionKind
from trtfarm.jobs.state import JobState
from trtfarm_cli import exits, output
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json, Limit

if TYPE_CHECKING:
    from trtfarm.jobs.job import Event

app = typer.Typer(help="Jobs: what runs, what ran, and why something did not.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, or its start.")]


@app.command("list")
def list_(
    *,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Annotated[ActionKind | None, typer.Option(help="Only jobs of this kind.")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Lists jobs, newest first."""
    with open_any() as farm:
        found = farm.jobs.find(state=state, kind=kind.value if kind else None, limit=limit)
    if json:
        output.emit_json(found)
        return
    columns = {"id": None, "kind": None, "model": None, "what": None, "state": None, "attempt": None}
    output.emit_table(found, columns | {"created": output.moment, "seconds": "{:.1f}".format}, limit=limit)


@app.command()
def show(job: JobId, *, json: Json = False) -> None:
    """Shows all that is known of one job.

    Of a queued one, why nobody does it.
    """
    with open_any() as farm:
        found = farm.jobs.details(job)
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
    with open_any() as farm:
        farm.jobs.history(job, partial(_print_events, json=json), follow=False)


@app.command()
def watch(job: JobId, *, json: Json = False) -> None:
    """Follows a job to its end.

    Ctrl-C stops watching, not the job. Exit code 1 when the job fails.
    """
    with open_any() as farm:
        ended = farm.jobs.history(job, partial(_print_events, json=json), follow=True)
    output.say(f"{ended.id} is {ended.state}")
    if ended.state is not JobState.DONE:
        raise typer.Exit(exits.FAILED)


@app.command()
def cancel(job: JobId, *, json: Json = False) -> None:
    """Ends a queued job, and asks the worker of a running one to stop."""
    with open_any() as farm:
        found = farm.jobs.cancel(job)
    _say_state(found, json=json)


@app.command()
def retry(job: JobId, *, json: Json = False) -> None:
    """Queues a job again that failed, was cancelled or quarantined.

    The submissions that it ended go on.
    """
    with open_any() as farm:
        queued = farm.jobs.retry(job)
    if queued.notice:
        output.say(queued.notice)
    _say_state(queued.job | {"submissions": queued.submissions}, json=json)
    if not json:
        for submission in queued.submissions:
            output.emit(f"{submission} goes on")


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
