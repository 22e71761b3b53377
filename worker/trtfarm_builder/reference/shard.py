"""Observes a share of the data, perhaps all of it."""

import struct
from pathlib import Path
from typing import Any, Mapping, Optional

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError
from trtfarm_builder.reference.network import load_network
from trtfarm_builder.reference.observation import STATISTICS, Observation, Subject
from trtfarm_builder.reference.origins import scale_origins
from trtfarm_builder.reference.plan import plan_runs
from trtfarm_builder.reference.probe import profile_of
from trtfarm_builder.reference.rules import REVISION, Rule
from trtfarm_builder.reference.runs import observe_batches
from trtfarm_builder.reference.samples import batch_starts, check_batch_size, open_samples
from trtfarm_builder.sessions import engine


def observe_shard(args: Mapping[str, Any], rule: Rule, channel: Channel) -> Observation:
    """Observes the samples that `args` name with the statistic that the rule needs.

    Raises BadModelError, BadDataError and BadRequestError for what cannot be observed.
    """
    network = load_network(Path(args["model"]))
    samples = open_samples(network.inputs, args["inputs"])
    check_batch_size(network.inputs, rule.batch_size, samples.count)
    starts = batch_starts(args.get("samples", [0, samples.count]), samples.count, rule.batch_size)
    origins = scale_origins(network.nodes, network.tensors)
    observed = list(dict.fromkeys(origins.values()))
    if not observed:
        raise BadModelError("the model has no float tensors, so there is nothing to calibrate")
    # The plan is made on the first samples of all, not of the share, so that every share runs alike.
    plan = plan_runs(profile_of(network, observed, samples, rule.batch_size), rule.batch_size)
    bases = args.get("base_ranges", {})
    statistics = {name: STATISTICS[rule.statistic](_base(bases.get(name))) for name in observed}
    observe_batches(
        network=network,
        samples=samples,
        plan=plan,
        starts=starts,
        statistics=statistics,
        on_batch=lambda done, total: channel.progress("calibrate", done, total, "batches"),
    )
    return Observation(
        subject=Subject(
            model=network.digest,
            origins=origins,
            outputs=list(network.float_outputs),
            unreadable=list(network.unreadable),
            kind=rule.statistic,
            batch_size=rule.batch_size,
            revision=REVISION,
            engine=engine(),
        ),
        start=starts[0],
        stop=starts[-1] + rule.batch_size,
        statistics=statistics,
    )


def _base(digits: Optional[str]) -> float:
    return float(struct.unpack(">f", bytes.fromhex(digits))[0]) if digits else 0.0
