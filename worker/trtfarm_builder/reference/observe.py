"""The step `observe`: the statistics of a share of the data, to be merged with those of the others."""

from pathlib import Path
from typing import Any, Dict

from trtfarm_builder.channel import Channel
from trtfarm_builder.reference.observation_file import save_observation
from trtfarm_builder.reference.rules import rule_from
from trtfarm_builder.reference.scales import scale_hex
from trtfarm_builder.reference.shard import observe_shard

_FILE = "statistics.npz"


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """Observes the share of the samples that `args["samples"]` ([start, stop]) names, all if it names none.

    Other `args` are those of `calibrate`, `inputs` those of all samples.
    The first share is observed on its own. Its answer's `base_ranges` (hex float32 by tensor) go into the `args` of all
    other shares, which may then be observed at the same time. The answer: `statistics`, a file; `base_ranges`;
    `samples`, `batches`, `engine` and `revision`.
    """
    observation = observe_shard(args, rule_from(args["rule"]), channel)
    save_observation(observation, Path(_FILE))
    return {
        "statistics": _FILE,
        "base_ranges": {name: scale_hex(statistic.base) for name, statistic in observation.statistics.items()},
        "samples": observation.samples,
        "batches": observation.batches,
        "engine": observation.subject.engine,
        "revision": observation.subject.revision,
    }
