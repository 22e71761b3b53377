"""How a batch is run so that few activations are in memory at a time."""

from dataclasses import dataclass, replace
from typing import Collection, List, Tuple

from trtfarm_builder.reference.probe import Profile

#: Activations of one run that are aimed at; two runs are in memory, one computed and one counted.
RUN_BYTES = 4 << 20
#: Activations above which the tensors of a run are split, and the model runs once for each part.
GROUP_BYTES = 256 << 20


@dataclass(frozen=True)
class Plan:
    """`samples_per_run` divides batches into pieces; each of `groups` (tensor names) is a pass over all data."""

    batch_size: int
    samples_per_run: int
    groups: Tuple[Tuple[str, ...], ...]

    def of(self, names: Collection[str]) -> "Plan":
        """The same runs for some of the tensors."""
        groups = (tuple(name for name in group if name in names) for group in self.groups)
        return replace(self, groups=tuple(filter(None, groups)))

    def pieces(self, start: int) -> List[Tuple[int, int]]:
        """Bounds, in samples, of the runs that the batch from `start` on is made of."""
        stop = start + self.batch_size
        return [(at, min(at + self.samples_per_run, stop)) for at in range(start, stop, self.samples_per_run)]


def plan_runs(profile: Profile, batch_size: int) -> Plan:
    """Whole batches where samples depend on each other; otherwise pieces of about RUN_BYTES."""
    total = sum(profile.nbytes.values())
    per_run = min(batch_size, max(1, RUN_BYTES // max(total, 1))) if profile.separable else batch_size
    scale = per_run / profile.samples
    groups: List[List[str]] = [[]]
    filled = 0.0
    for name, nbytes in profile.nbytes.items():
        if groups[-1] and filled + nbytes * scale > GROUP_BYTES:
            groups.append([])
            filled = 0.0
        groups[-1].append(name)
        filled += nbytes * scale
    return Plan(batch_size=batch_size, samples_per_run=per_run, groups=tuple(tuple(group) for group in groups))
