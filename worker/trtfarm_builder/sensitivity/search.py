"""The step `search`: quantises a model but for the fewest nodes that its accuracy needs in floating point."""

import math
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Mapping, Sequence, Tuple

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import AccuracyError, BadRequestError
from trtfarm_builder.quantization.graph import Edge, label
from trtfarm_builder.quantization.placement import Plan
from trtfarm_builder.quantization.quantize import Original, open_original, write_quantized
from trtfarm_builder.sensitivity.loss import MEASURES, Loss, percent
from trtfarm_builder.sensitivity.ranking import MOST_TRIALS, Group, leave_first, measure_groups, shares_left
from trtfarm_builder.sensitivity.selection import fewest
from trtfarm_builder.sensitivity.switches import with_switches
from trtfarm_builder.sensitivity.trials import Trials

#: To be raised with every change that may find other nodes.
REVISION = 1
#: Samples that rank the nodes: one node's error is much the same on each of them, and there are many nodes.
RANKING_SAMPLES = 8
#: Samples at most that decide whether a choice of nodes will do.
DECIDING_SAMPLES = 256


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """Writes quantized.onnx into the current folder.

    `args`: those of `quantize`, and inputs {name: array spec}, batch_size, allowed (the share that may be lost) and
    measure: `cosine`, 1 - the mean cosine similarity to FP32 of the worst output, or `top1`, the share of samples whose
    highest score moves to another class.
    Returns what `quantize` does, and search: {revision, measure, allowed, before and after ({loss, error, samples}: all
    nodes quantised, on fewer samples where these leave no doubt, and as written), trials, found [{node, op_type, loss}]
    and ranking [{nodes, loss}]}, a node's loss being what it costs quantised by itself.

    Scales come from the caller's data too, so what is written should be verified on other data. Raises what `quantize`
    does, BadDataError, and AccuracyError where INT8 is not that accurate with any node.
    """
    if args["measure"] not in MEASURES:
        raise BadRequestError("no measure {!r}".format(args["measure"]), remedy="use one of: " + ", ".join(MEASURES))
    original = open_original(args)
    search = _Search(original, args, channel)
    outcome = search.outcome()
    facts = {"revision": REVISION, "measure": args["measure"], "allowed": args["allowed"], **outcome.facts}
    return {**write_quantized(original, original.useful_plan(outcome.reasons), channel), "search": facts}


@dataclass(frozen=True)
class _Outcome:
    """`reasons` has the nodes to leave out, each with why."""

    reasons: Mapping[str, str]
    facts: Mapping[str, Any]


class _Search:
    """Tries choices of nodes of one model. The same request gives the same outcome on the same kind of processor."""

    def __init__(self, original: Original, args: Mapping[str, Any], channel: Channel) -> None:
        self._original = original
        self._allowed = float(args["allowed"])
        self._channel = channel
        self._plan = original.useful_plan()
        self._trials = Trials(
            with_switches(original.model, self._plan),
            original.folder,
            args["inputs"],
            batch_size=args["batch_size"],
            by_class=args["measure"] == "top1",
        )
        self._few = self._trials.sample(RANKING_SAMPLES)
        self._many = self._trials.sample(DECIDING_SAMPLES)
        self._count = 0

    def outcome(self) -> _Outcome:
        before = self._loss(_edges(self._plan), self._many, self._allowed)
        if before.within(self._allowed):
            return self._told(before, before, (), ())
        ordered = self._ranked()
        losses: Dict[int, Loss] = {}

        def fits(count: int) -> bool:
            losses[count] = self._loss(self._edges_without(ordered[:count]), self._many, self._allowed)
            self._channel.progress("selection", len(losses), None, "choices")
            return losses[count].within(self._allowed)

        # Some nodes, such as poolings, are INT8 only beside others: by themselves they are no INT8 model.
        counts = range(len(ordered) - 1, 0, -1)
        most = next((count for count in counts if self._edges_without(ordered[:count])), 0)
        count = fewest(most, fits, self._guess(ordered, before)) if most else None
        if count is None:
            raise self._out_of_reach(before, ordered)
        return self._told(before, losses[count], ordered, ordered[:count])

    def _ranked(self) -> Sequence[Group]:
        """The nodes in the order to leave them out."""
        nodes = list(dict.fromkeys(self._plan.quantized))
        total = min(len(nodes), MOST_TRIALS)
        before = self._count

        def measure(names: Sequence[str]) -> Mapping[str, float]:
            losses = self._loss(self._edges_of(names), self._few).outputs
            self._channel.progress("sensitivity", self._count - before, total, "trials")
            return losses

        return leave_first(measure_groups(nodes, measure))

    def _guess(self, ordered: Sequence[Group], before: Loss) -> int:
        """How many groups to leave, if what they lose adds up."""
        shares = shares_left(ordered)
        fitting = (n for n, share in enumerate(shares) if (before.share + before.error) * share <= self._allowed)
        return next(fitting, len(ordered))

    def _loss(self, on: FrozenSet[Edge], samples: Tuple[int, ...], allowed: float = math.inf) -> Loss:
        self._count += 1
        return self._trials.loss(on, samples, allowed)

    def _edges_of(self, names: Sequence[str]) -> FrozenSet[Edge]:
        wanted = set(names)
        nodes = self._original.graph.nodes
        return frozenset(edge for edge in _edges(self._plan) if label(nodes[edge.node]) in wanted)

    def _edges_without(self, groups: Sequence[Group]) -> FrozenSet[Edge]:
        # Planned anew: a residual addition may lose its pair with its convolution, or get one at its other input. That
        # one has no switch, so its little error is first seen by the verification.
        return _edges(self._original.plan(_reasons(groups)))

    def _told(self, before: Loss, after: Loss, ordered: Sequence[Group], left: Sequence[Group]) -> _Outcome:
        op_types = {label(node): node.op_type for node in self._original.graph.nodes}
        self._channel.log("{} nodes stay in floating point for accuracy".format(sum(len(g.nodes) for g in left)))
        found = [
            {"node": name, "op_type": op_types[name], "loss": group.worst} for group in left for name in group.nodes
        ]
        facts = {
            "before": before.as_dict(),
            "after": after.as_dict(),
            "trials": self._count,
            "found": found,
            "ranking": [{"nodes": list(group.nodes), "loss": group.worst} for group in ordered],
        }
        return _Outcome(reasons=_reasons(left), facts=facts)

    def _out_of_reach(self, before: Loss, ordered: Sequence[Group]) -> AccuracyError:
        return AccuracyError(
            "INT8 loses more than {} against FP32, whichever of its nodes stay in floating point".format(
                percent(self._allowed)
            ),
            cause="with all {} nodes quantised it loses {}, and with only {} it still loses too much".format(
                sum(len(group.nodes) for group in ordered), percent(before.share), " and ".join(ordered[-1].nodes)
            ),
            remedy="allow a larger loss, try another calibrator, or use fp16",
        )


def _edges(plan: Plan) -> FrozenSet[Edge]:
    return frozenset(edge for pair in plan.pairs for edge in pair.readers)


def _reasons(groups: Sequence[Group]) -> Dict[str, str]:
    return {
        name: "the search left it out: by itself it loses {}".format(percent(group.worst))
        for group in groups
        for name in group.nodes
    }
