"""`trtfarm workers …`: who runs jobs, and whether they take more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm_cli import output
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm.workers import WorkerState

app = typer.Typer(help="Workers: who runs jobs, on what, and whether they take more.", no_args_is_help=True)

WorkerId = Annotated[str, typer.Argument(metavar="WORKER", help="Id of the worker, or its start.")]


@app.command("list")
def list_(*, json: Json = False) -> None:
    """Lists the workers with their GPUs and what they offer."""
    with open_any() as farm:
        found = farm.workers()
    if json:
        output.emit_json(found)
        return
    columns = dict.fromkeys(("id", "host", "state", "jobs", "slots", "memory", "labels", "offers"))
    output.emit_table([{**facts, **words_of(facts)} for facts in found], columns)
    for facts in found:
        for gpu in facts["gpus"]:
            output.emit(f"{facts['id']}  {_gpu(gpu)}")


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
    }


def _gpu(gpu: dict[str, Any]) -> str:
    words = [gpu["name"], gpu["compute_capability"], output.size(gpu["memory_bytes"]), gpu["uuid"]]
    words += [f"out of service: {gpu['out_of_service']}"] if gpu["out_of_service"] else []
    words += [f"no room: {gpu['occupied']}"] if gpu["occupied"] else []
    return ", ".join(words)
