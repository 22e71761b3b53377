"""The order in which to leave nodes in floating point: those first that lose most in INT8. Runs nothing itself.

Quantised one at a time, nodes lose about what they lose together: errors of rounding are independent of each other and
add up. So one trial for each node tells the order, and how much is left after the first k.
"""

from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Sequence, Tuple

#: Trials of a ranking at most; models with more nodes are ranked in groups of neighbours, the worst of them split.
MOST_TRIALS = 256

#: Quantises these nodes and no others: the loss of each output.
Measure = Callable[[Sequence[str]], Mapping[str, float]]


@dataclass(frozen=True)
class Group:
    """Nodes tried together, most often only one; `losses` has what each output lost."""

    nodes: Tuple[str, ...]
    losses: Mapping[str, float]

    @property
    def worst(self) -> float:
        """The largest loss of an output, for each of its nodes."""
        return max(self.losses.values()) / len(self.nodes)


def measure_groups(nodes: Sequence[str], measure: Measure, most_trials: int = MOST_TRIALS) -> List[Group]:
    """What each node loses by itself, in the nodes' order.

    With more nodes than trials, neighbours are tried together, with half of the trials; the other half goes to the
    halves of the group that loses most for each node, again and again.
    """
    size = 1 if len(nodes) <= most_trials else -(-len(nodes) // max(most_trials // 2, 1))
    groups = [_tried(nodes[start : start + size], measure) for start in range(0, len(nodes), size)]
    trials = len(groups)
    while trials + 2 <= most_trials:
        large = [number for number, group in enumerate(groups) if len(group.nodes) > 1]
        if not large:
            break
        number = max(large, key=lambda at: groups[at].worst)
        whole = groups[number].nodes
        middle = len(whole) // 2
        groups[number : number + 1] = [_tried(half, measure) for half in (whole[:middle], whole[middle:])]
        trials += 2
    return groups


def _tried(nodes: Sequence[str], measure: Measure) -> Group:
    return Group(tuple(nodes), dict(measure(nodes)))


def leave_first(groups: Sequence[Group]) -> List[Group]:
    """The groups in the order to leave them out: always the one that most relieves the output that then loses most.

    Equal ones stay in the order given.
    """
    left = list(groups)
    totals: Dict[str, float] = _totals(left)
    ordered: List[Group] = []
    while left:
        output = max(totals, key=lambda name: totals[name])
        chosen = max(left, key=lambda group: group.losses[output] / len(group.nodes))
        left.remove(chosen)
        ordered.append(chosen)
        totals = _totals(left) or totals
    return ordered


def shares_left(ordered: Sequence[Group]) -> List[float]:
    """For k from 0 to all groups: the share of the worst output's loss that remains without the first k."""
    remaining = [max(_totals(ordered[count:]).values(), default=0.0) for count in range(len(ordered) + 1)]
    return [loss / remaining[0] if remaining[0] > 0 else 0.0 for loss in remaining]


def _totals(groups: Sequence[Group]) -> Dict[str, float]:
    totals: Dict[str, float] = {}
    for group in groups:
        for name, loss in group.losses.items():
            totals[name] = totals.get(name, 0.0) + loss
    return totals
