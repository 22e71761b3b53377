"""`trtfarm workers …`: who runs jobs, and whether they take more."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm_cli import output
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm.workers import WorkerState

app = typer.Typer(help="Workers: who runs jobs, on what, and whether they take more.", no_args_is_help=True)

WorkerId = Annotated[str, typer.Argument(metavar="WORKER", help="Id of the worker, or its start.")]


_COLUMNS = ("id", "host", "state", "jobs", "slots", "memory", "labels", "offers")
_FIELDS = ("id", "host", "pid", "state", "reason", "version", "heard", "started", *_COLUMNS[3:])


@app.command("list")
def list_(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Also those that fell silent or ended within a day.")] = False,
    json: Json = False,
) -> None:
    """Lists the workers that are alive, their GPUs and what they offer."""
    with open_any() as farm:
        known = farm.workers(left=True)
    found = [facts for facts in known if all_ or facts["alive"]]
    if json:
        output.emit_json(found)
        return
    shown = [{**facts, **words_of(facts)} for facts in found]
    output.emit_table(shown, dict.fromkeys([*_COLUMNS, "heard"] if all_ else _COLUMNS))
    for facts in found:
        for gpu in facts["gpus"]:
            output.emit(f"{facts['id']}  {_gpu(gpu)}, {gpu['uuid']}")
    silent = [facts for facts in known if words_of(facts)["state"] == "silent"]
    if silent and not all_:
        output.say(f"{output.counted(len(silent), 'worker')} fell silent within a day: --all")


@app.command()
def show(worker: WorkerId, *, json: Json = False) -> None:
    """Shows what is known of a worker, and the jobs that it does now."""
    with open_any() as farm:
        found = farm.worker(worker)
    if json:
        output.emit_json(found)
        return
    told = {**found, **words_of(found), "started": _moment(found["started"])}
    output.emit_fields({name: told[name] for name in _FIELDS} | _parts_of(found))


@app.command()
def pause(worker: WorkerId, *, json: Json = False) -> None:
    """Lets a worker end its jobs, and take no more until it is resumed."""
    from trtfarm.workers import WorkerState

    _change(worker, WorkerState.PAUSED, json=json)


@app.command()
def drain(worker: WorkerId, *, json: Json = False) -> None:
    """Lets a worker end the jobs that it has, and then leave."""
    from trtfarm.workers import WorkerState

    _change(worker, WorkerState.DRAINING, json=json)


@app.command()
def resume(worker: WorkerId, *, json: Json = False) -> None:
    """Lets a worker take jobs again.

    It was paused or quarantined, or is draining.
    """
    from trtfarm.workers import WorkerState

    _change(worker, WorkerState.READY, json=json)


def _change(text: str, state: WorkerState, *, json: bool) -> None:
    with open_any() as farm:
        worker = farm.administration.set_worker(text, state)
    if json:
        output.emit_json(worker)
    else:
        output.emit(f"{worker['id']} is {worker['state']}")


def words_of(worker: dict[str, Any]) -> dict[str, str]:
    """What is told of a worker to people, where that is not what programs are told."""
    from trtfarm import routing
    from trtfarm.workers import state_word

    return {
        "state": state_word(worker["state"], alive=worker["alive"]),
        "memory": output.size(worker["memory_bytes"]) if worker["memory_bytes"] else "",
        "labels": ", ".join(worker["labels"]),
        "offers": ", ".join(map(routing.described, worker["capabilities"])),
        "heard": _moment(worker["heard"]),
    }


def _parts_of(worker: dict[str, Any]) -> dict[str, Any]:
    """Its GPUs, toolchains and running jobs, each in words under its name."""
    return {
        "gpus": {gpu["uuid"]: _gpu(gpu) for gpu in worker["gpus"]},
        "toolchains": {toolchain["name"]: _toolchain(toolchain) for toolchain in worker["toolchains"]},
        "running": {
            job["id"]: " ".join(filter(None, (job["kind"], job["model"], job["what"]))) for job in worker["running"]
        },
    }


def _moment(text: str | None) -> str:
    return output.moment(datetime.fromisoformat(text)) if text else ""


def _toolchain(toolchain: dict[str, Any]) -> str:
    if toolchain.get("broken"):
        return f"{toolchain['version']}, broken: {toolchain['broken']}"
    able = (toolchain.get(name, ()) for name in ("compute_capabilities", "precisions", "calibrators"))
    return ", ".join(filter(None, (toolchain["version"], *map(" ".join, able))))


def _gpu(gpu: dict[str, Any]) -> str:
    words = [gpu["name"], gpu["compute_capability"], output.size(gpu["memory_bytes"])]
    words += [f"out of service: {gpu['out_of_service']}"] if gpu["out_of_service"] else []
    words += [f"no room: {gpu['occupied']}"] if gpu["occupied"] else []
    return ", ".join(words)
