"""The step `calibrate`: a model and its data in, scales out."""

from typing import Any, Dict

from trtfarm_builder.channel import Channel
from trtfarm_builder.reference.rules import rule_from
from trtfarm_builder.reference.scales import conclude
from trtfarm_builder.reference.shard import observe_shard


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """Calibrates on all samples.

    `args`: `model`, `inputs` (array specs by input), `rule`. The answer: `scales` (hex float32 amax / 127 by tensor, in
    network order), `samples` and `batches` used, `engine`, `revision`, `skipped` and `assumed` tensors with reasons.
    """
    rule = rule_from(args["rule"])
    observation = observe_shard(args, rule.statistic, rule.batch_size, channel)
    return conclude(observation, rule, lambda done, total: channel.progress("search", done, total, "tensors"))
