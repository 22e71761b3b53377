"""Calibration in shards: the data cut into shares that are observed apart, and the table made of what was seen of all.

A table comes out the same, to the bit, however the data was cut. So it has the key of a calibration in one piece, and
each is a hit for the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from trtfarm.calibrators import CalibrationRule
from trtfarm.errors import UsageError

#: Who merges has the statistics of all in memory: 18 KiB a tensor and share, 1 GiB for 1,000 tensors.
MOST_SHARDS = 64
#: What is looked for in all of the data before the second share and those after it: where their histograms begin.
BASES = "bases"


@dataclass(frozen=True, kw_only=True)
class Share:
    """The share number `number`, from 1 on, of `of`, and what is observed of it."""

    statistic: str
    number: int
    of: int

    @property
    def step(self) -> str:
        """The name of the step that observes it."""
        return f"observe {self.statistic}" + (f" {self.number}/{self.of}" if self.of > 1 else "")

    def samples(self, count: int, batch_size: int) -> tuple[int, int]:
        """The first sample and the one after the last, of `count`: whole batches, because calibrators go by batches.

        Shares differ by a batch at most; samples that do not fill the last batch are in none.
        """
        batches = count // batch_size
        first, last = (batches * number // self.of for number in (self.number - 1, self.number))
        return first * batch_size, last * batch_size


def shares_of(rule: CalibrationRule, shards: int) -> tuple[Share, ...]:
    """What is observed for a rule: nothing apart where the data is not cut."""
    return tuple(
        Share(statistic=rule.calibrator.statistic, number=number, of=shards)
        for number in range(1, shards + 1)
        if shards > 1
    )


def bases_of(share: Share) -> Share | None:
    """What has to be found out before the share is observed. The first share sees by itself where histograms begin."""
    if share.statistic != "histogram" or share.number == 1:
        return None
    return Share(statistic=BASES, number=1, of=1)


def check_shards(shards: int, samples: int, batch_size: int) -> None:
    """Raises UsageError where some of the shares would be empty."""
    batches = samples // batch_size
    full = "1 batch" if batches == 1 else f"{batches} batches"
    if shards > 1 and shards > batches:
        raise UsageError(
            f"the data cannot be cut into {shards} shards",
            cause=f"{samples} samples fill {full} of {batch_size}, and a batch is not cut",
            remedy=_fewer(batches, batch_size),
        )


def _fewer(batches: int, batch_size: int) -> str:
    """What to do where the data has so many full batches."""
    fewer = f"use --shards {batches} at most" if batches > 1 else "leave --shards out"
    smaller = ", or take a smaller --batch-size, which changes the table" if batch_size > 1 else ""
    return f"{fewer}{smaller}"
