"""The step `merge`: scales from the statistics of all shares of the data."""

from pathlib import Path
from typing import Any, Dict

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadDataError, BadRequestError
from trtfarm_builder.reference.observation import Observation, merge_observations
from trtfarm_builder.reference.observation_file import load_observation
from trtfarm_builder.reference.rules import Rule, rule_from
from trtfarm_builder.reference.scales import conclude


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """Merges `args["statistics"]` (paths, in any order) and concludes by `args["rule"]`; the answer is `calibrate`'s.

    `samples` is how many there are in all, and `content` what model and data are called, as in `observe`.
    `unlike` names the tensors whose shares were rounded otherwise, by other processors.
    Statistics hold for every rule that observes the same: one observation serves entropy2, legacy, percentile and mse.
    """
    rule = rule_from(args["rule"])
    observation = merge_observations([load_observation(Path(path)) for path in args["statistics"]])
    _check_rule(observation, rule)
    _check_content(observation, args)
    return conclude(observation, rule, lambda done, total: channel.progress("search", done, total, "tensors"))


def _check_rule(observation: Observation, rule: Rule) -> None:
    kind, batch_size = observation.subject.kind, observation.subject.batch_size
    if (kind, batch_size) != (rule.statistic, rule.batch_size):
        raise BadRequestError(
            "the statistics are a {} of batches of {}; {} needs a {} of batches of {}".format(
                kind, batch_size, rule.calibrator, rule.statistic, rule.batch_size
            ),
            remedy="observe the data again for this calibrator",
        )


def _check_content(observation: Observation, args: Dict[str, Any]) -> None:
    """Raises BadDataError for statistics of another model, of other data, or of only some of them."""
    content = observation.subject.content
    if content != args["content"]:
        raise BadDataError(
            "the statistics are of {}, and {} was to be calibrated".format(content, args["content"]),
            remedy="observe the data again",
        )
    batches = args["samples"] // observation.subject.batch_size
    if observation.batches != batches:
        raise BadDataError(
            "the statistics are of {} batches, and the data has {}".format(observation.batches, batches),
            remedy="observe the data again",
        )
