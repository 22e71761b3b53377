"""Observes a share of the data, perhaps all of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError
from trtfarm_builder.reference.network import Network, load_network
from trtfarm_builder.reference.observation import STATISTICS, Observation, Subject, check_alike
from trtfarm_builder.reference.observation_file import load_observation
from trtfarm_builder.reference.origins import scale_origins
from trtfarm_builder.reference.plan import plan_runs
from trtfarm_builder.reference.probe import profile_of
from trtfarm_builder.reference.rules import REVISION
from trtfarm_builder.reference.runs import observe_batches
from trtfarm_builder.reference.samples import batch_starts, check_batch_size, open_samples
from trtfarm_builder.sessions import engine


def observe_shard(args: Mapping[str, Any], kind: str, batch_size: int, channel: Channel) -> Observation:
    """Observes the samples that `args` name with a kind of statistic.

    Raises BadModelError, BadDataError and BadRequestError for what cannot be observed.
    """
    network = load_network(Path(args["model"]))
    samples = open_samples(network.inputs, args["inputs"])
    check_batch_size(network.inputs, batch_size, samples.count)
    starts = batch_starts(args.get("samples", [0, samples.count]), samples.count, batch_size)
    subject = _subject(network, args.get("content", {}), kind, batch_size)
    observed = list(dict.fromkeys(subject.origins.values()))
    if not observed:
        raise BadModelError("the model has no float tensors, so there is nothing to calibrate")
    # The plan is made on the first samples of all, not of the share, so that every share runs alike.
    plan = plan_runs(profile_of(network, observed, samples, batch_size), batch_size)
    bases = _bases(args, subject)
    statistics: Dict[str, Any] = {name: STATISTICS[kind](bases.get(name, 0.0)) for name in observed}
    for part in _parts(starts, kind):
        left = {name: statistic for name, statistic in statistics.items() if not statistic.settled}
        observe_batches(
            network=network,
            samples=samples,
            plan=plan.of(left),
            starts=part,
            statistics=left,
            on_batch=lambda done, total: channel.progress("calibrate", done, total, "batches"),
        )
    return Observation(subject=subject, start=starts[0], stop=starts[-1] + batch_size, statistics=statistics)


def _subject(network: Network, content: Mapping[str, str], kind: str, batch_size: int) -> Subject:
    return Subject(
        model=network.digest,
        content=dict(content),
        origins=scale_origins(network.nodes, network.tensors),
        outputs=list(network.float_outputs),
        unreadable=list(network.unreadable),
        kind=kind,
        batch_size=batch_size,
        revision=REVISION,
        engine=engine(),
    )


def _bases(args: Mapping[str, Any], subject: Subject) -> Dict[str, float]:
    """Where the histograms begin, as was found for all of the data; none where this share is to find it."""
    if "bases" not in args:
        return {}
    found = load_observation(Path(args["bases"]))
    check_alike(replace(found.subject, kind=subject.kind), subject)
    return {name: statistic.base for name, statistic in found.statistics.items()}


def _parts(starts: range, kind: str) -> List[range]:
    """Batches by what is still open: the first one settles nearly all bases, and few tensors are cheap to compute."""
    return [starts[:1], starts[1:]] if kind == "bases" else [starts]
