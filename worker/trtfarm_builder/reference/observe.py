"""The step `observe`: the statistics of a share of the data, to be merged with those of the others."""

from pathlib import Path
from typing import Any, Dict

from trtfarm_builder.channel import Channel
from trtfarm_builder.reference.observation_file import save_observation
from trtfarm_builder.reference.shard import observe_shard

_FILE = "statistics.npz"


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """Observes the share of the samples that `args["samples"]` ([start, stop]) names, all if it names none.

    `args`: `model` and `inputs` as in `calibrate`; `statistic`, a kind of STATISTICS; `batch_size`; `content`, what
    model and data are called (digests), which the statistics must agree in to be merged.
    Histograms of all shares but the first need `bases`, the statistics of the kind `bases` of all samples; finding them
    takes no more batches than it must. The answer: `statistics`, a file; `samples`, `batches`, `engine`, `revision`.
    """
    observation = observe_shard(args, args["statistic"], int(args["batch_size"]), channel)
    save_observation(observation, Path(_FILE))
    return {
        "statistics": _FILE,
        "samples": observation.samples,
        "batches": observation.batches,
        "engine": observation.subject.engine,
        "revision": observation.subject.revision,
    }
