"""Holding an engine to FP32: on this host's GPU, or on that of a farm's worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtfarm_cli import output
from trtfarm_cli.progress import View, listener

if TYPE_CHECKING:
    from trtfarm.datasets.dataset import DataSet
    from trtfarm.farm import Farm
    from trtfarm.jobs.job import Job
    from trtfarm.settings import Settings
    from trtfarm.signing.statement import EngineStatement
    from trtfarm_client import Client, ServerEvent
    from trtfarm_worker.builder.events import LogLine, Progress

Facts = dict[str, Any]


def verified_here(farm: Farm, text: str, data: Sequence[str], labels: str | None, *, fresh: bool, shown: View) -> Facts:
    """Fulfils `AnyFarm.verify` for the farm of this process."""
    from trtfarm.catalog.lookup import find_one
    from trtfarm.database.schema import EngineRow, ModelRow
    from trtfarm.intake import add_dataset
    from trtfarm.signing.statement import EngineStatement
    from trtfarm.submissions.resolve import row
    from trtfarm_worker.engines.verification import EngineVerification
    from trtfarm_worker.toolchains.registry import ToolchainRegistry

    def hear(job: Job, event: Progress | LogLine) -> None:
        listener(shown, job.kind)(event)

    with farm.database.read() as session:
        found = find_one(session, EngineRow, text)
        inputs = row(session, ModelRow, found.model_id).inputs
    toolchains = ToolchainRegistry(farm.settings.home).toolchains()
    verification = EngineVerification(farm, found, toolchains, fresh=fresh, listener=hear)
    if data:
        with farm.scratch("verify") as folder:
            read = _data(farm.settings, EngineStatement.of_row(found), inputs, data, labels, folder=folder, shown=shown)
            dataset = add_dataset(farm, read)
    else:
        dataset = verification.usual_dataset()
    measured = verification.on(dataset)
    told = {"engine": found.id, "precision": found.precision, "compute_capability": found.compute_capability}
    return {**told, "verification": measured.id, "dataset": measured.dataset_id, "metrics": measured.metrics}


def verified_there(
    client: Client, settings: Settings, text: str, data: Sequence[str], labels: str | None, *, fresh: bool, shown: View
) -> Facts:
    """Fulfils `AnyFarm.verify` for a farm behind HTTP, to which data go that it does not have."""
    from trtfarm.scratch import temporary_folder
    from trtfarm.signing.statement import EngineStatement
    from trtfarm_cli.farms.remote_stock import RemoteStock

    engine = client.engine(text)
    dataset = None
    if data:
        statement = EngineStatement.of_dict(json.loads(client.engine_signature(engine["id"]))["statement"])
        inputs = client.model(engine["model_digest"]).inputs
        with temporary_folder() as folder:
            read = _data(settings, statement, inputs, data, labels, folder=folder, shown=shown)
            dataset = RemoteStock(client, settings, shown).add_dataset(read)
    measured = client.verify_engine(engine["id"], dataset=dataset, fresh=fresh, hear=_hearing(shown))
    told = {"engine": engine["id"], **{name: engine[name] for name in ("precision", "compute_capability")}}
    return {**told, **{name: measured[name] for name in ("verification", "dataset", "metrics")}}


def _data(
    settings: Settings,
    statement: EngineStatement,
    inputs: Sequence[Mapping[str, Any]],
    data: Sequence[str],
    labels: str | None,
    *,
    folder: Path,
    shown: View,
) -> DataSet:
    """The data that were named, fit for the engine; `inputs` are its model's, as the farm tells them."""
    from trtfarm.datasets.locate import array_file, named
    from trtfarm.models.summary import TensorType
    from trtfarm_worker.engines.inputs import read_data

    types = [
        TensorType(name=facts["name"], dtype=facts["dtype"], dims=None if facts["dims"] is None else (*facts["dims"],))
        for facts in inputs
    ]
    source = named(data, types)
    if labels:
        source = replace(source, labels=array_file(Path(labels)))
    hear = listener(shown, "data")
    return read_data(settings, source, types, statement, folder, labels=True, tell=output.say, listener=hear)


def _hearing(shown: View) -> Callable[[ServerEvent], None]:
    """Shows what a server tells of the jobs that it has done."""
    from trtfarm_worker.builder.events import LogLine, Progress

    def hear(event: ServerEvent) -> None:
        if event.kind == "waiting":
            output.say(f"{event.data['job']} waits: {event.data['reason']}")
        elif event.kind == "job":
            kinds: dict[str, type[Progress | LogLine]] = {"progress": Progress, "log": LogLine}
            if made := kinds.get(event.data["kind"]):
                listener(shown, "verify")(made(**event.data["data"]))

    return hear
