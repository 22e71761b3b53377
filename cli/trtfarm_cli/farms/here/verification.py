"""Holding an engine to FP32: on this host's GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtfarm_cli.engine_data import compared_data
from trtfarm_cli.progress import View, listener

if TYPE_CHECKING:
    from trtfarm.farm import Farm
    from trtfarm.jobs.job import Job
    from trtfarm_cli.farms.engines import Comparison
    from trtfarm_worker.builder.events import LogLine, Progress

Facts = dict[str, Any]


def verified_here(farm: Farm, text: str, comparison: Comparison, *, shown: View) -> Facts:
    """Fulfils `Engines.verify` for the farm of this process."""
    from trtfarm.catalog.lookup import find_one
    from trtfarm.database.named_rows import row
    from trtfarm.database.schema import EngineRow, ModelRow
    from trtfarm.intake import add_dataset
    from trtfarm_worker.engines.profiles import EngineProfiles, more_profiles
    from trtfarm_worker.engines.verification import EngineVerification
    from trtfarm_worker.toolchains.registry import ToolchainRegistry

    def hear(job: Job, event: Progress | LogLine) -> None:
        listener(shown, job.kind)(event)

    with farm.database.read() as session:
        found = find_one(session, EngineRow, text)
        inputs = row(session, ModelRow, found.model_id).inputs
    toolchains = ToolchainRegistry(farm.settings.home).toolchains()
    profile, fresh = comparison.profile, comparison.fresh
    verification = EngineVerification(farm, found, toolchains, profile=profile, fresh=fresh, listener=hear)
    profiles = EngineProfiles.of(found.profiles, more_profiles(found.options), profile)
    if comparison.data:
        with farm.scratch("verify") as folder:
            read = compared_data(farm.settings, profiles, inputs, comparison, folder, shown=shown)
            dataset = add_dataset(farm, read)
    else:
        dataset = verification.usual_dataset()
    measured = verification.on(dataset)
    told = {"engine": found.id, "precision": found.precision, "compute_capability": found.compute_capability}
    return {**told, "verification": measured.id, "dataset": measured.dataset_id, "metrics": measured.metrics}
