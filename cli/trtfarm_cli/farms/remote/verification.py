"""Holding an engine to FP32: on the GPU of a farm's worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trtfarm_cli import output
from trtfarm_cli.engine_data import compared_data
from trtfarm_cli.progress import View, listener

if TYPE_CHECKING:
    from trtfarm.settings import Settings
    from trtfarm_cli.farms.engines import Comparison
    from trtfarm_client import Client, ServerEvent
    from trtfarm_worker.builder.events import LogLine, Progress

Facts = dict[str, Any]


def verified_there(client: Client, settings: Settings, text: str, comparison: Comparison, *, shown: View) -> Facts:
    """Fulfils `Engines.verify` for a farm behind HTTP, to which data go that it does not have."""
    from trtfarm.scratch import temporary_folder
    from trtfarm_cli.farms.remote.stock import RemoteStock
    from trtfarm_worker.engines.profiles import EngineProfiles, more_profiles

    profile, fresh = comparison.profile, comparison.fresh
    engine = client.engine(text)
    profiles = EngineProfiles.of(engine["profiles"], more_profiles(engine["options"]), profile)
    dataset = None
    if comparison.data:
        inputs = client.model(engine["model_digest"]).inputs
        with temporary_folder() as folder:
            read = compared_data(settings, profiles, inputs, comparison, folder, shown=shown)
            dataset = RemoteStock(client, settings, shown).add_dataset(read)
    measured = client.verify_engine(engine["id"], dataset=dataset, profile=profile, fresh=fresh, hear=_hearing(shown))
    told = {"engine": engine["id"], **{name: engine[name] for name in ("precision", "compute_capability")}}
    return {**told, **{name: measured[name] for name in ("verification", "dataset", "metrics")}}


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
