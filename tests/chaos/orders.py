"""What clients submit in a campaign: drawn from a seed, so that every process knows the same orders."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from trtfarm.calibrators import Calibrator

#: TensorRT-RTX builds for these without a GPU.
_CAPABILITIES = ("sm_80", "sm_86", "sm_89", "sm_120")
_CALIBRATORS = (Calibrator.MINMAX, Calibrator.ENTROPY2, Calibrator.PERCENTILE, Calibrator.MSE)
#: Those that make their tables of the same observations.
_OF_HISTOGRAMS = tuple(calibrator for calibrator in _CALIBRATORS if calibrator.statistic == "histogram")
BATCH_SIZE = 4
#: What workers have; the last one has both, and the last but one has the first.
LABELS = ("disk=fast", "site=b")
#: What builds are for that take but a moment.
_LIGHT_CAPABILITIES = (*_CAPABILITIES, "sm_121")
#: Shares of the orders: those that ask for what an earlier one asked for, perhaps cut otherwise; those that share its
#: observations, and no more; those that their client takes back, and hands in again; those whose data is cut.
_AGAIN, _SIBLINGS, _CANCELLED, _CUT = 0.15, 0.1, 0.08, 0.45
#: Those of nothing but builds that take a moment, beside the others.
_LIGHT = 0.2
#: How many of ten require so many of the labels.
_LABELLED = (0,) * 7 + (1, 1, 2)
#: Seconds after which an order is taken back: in the midst of it, most often.
_LONGEST_SECOND_THOUGHT = 4.0


@dataclass(frozen=True, kw_only=True)
class Order:
    """One submission; `jobs` is how many it takes where nothing of it is there yet, observations left out.

    `data` is the seed of its calibration data, and `samples` how many they are; `batch` is the largest in its profile.
    Without a calibrator it is a tiny one: an FP32 engine, and nothing else; `light` ones are several that take but a
    moment. With `cancelled_after` its client takes it back so many seconds after it was accepted, and then hands it in
    again.
    """

    number: int
    capabilities: tuple[str, ...]
    batch: int
    calibrator: Calibrator | None = None
    data: int = 0
    samples: int = 0
    verified: bool = False
    shards: int = 1
    labels: tuple[str, ...] = ()
    cancelled_after: float | None = None
    light: bool = False

    @property
    def jobs(self) -> int:
        return len(self.capabilities) + (0 if self.calibrator is None else 2 + self.verified)

    @property
    def keys(self) -> tuple[str, ...]:
        """The idempotency keys that it is handed in under, one after the other; the last one's is to be done."""
        first = f"order-{self.number}"
        return (first,) if self.cancelled_after is None else (first, f"{first}-again")


def orders(seed: int, jobs: int) -> list[Order]:
    """As many as give so many different jobs together, light ones left out, or a few more."""
    chance, made, together = random.Random(seed), list[Order](), 0
    while together < jobs:
        order = _later(chance, made)
        if order is None and chance.random() < _LIGHT:
            order = Order(number=len(made), capabilities=_LIGHT_CAPABILITIES, batch=2 + len(made), light=True)
        elif order is None:
            order = _order(chance, len(made))
            together += order.jobs
        cancelled_after = chance.uniform(0, _LONGEST_SECOND_THOUGHT) if chance.random() < _CANCELLED else None
        labels = LABELS[: chance.choice(_LABELLED)]
        made.append(replace(order, number=len(made), cancelled_after=cancelled_after, labels=labels))
    return made


def _order(chance: random.Random, number: int) -> Order:
    # Every profile is another one, so that no build is another order's.
    kind, batch = chance.random(), 2 + number
    if kind < 0.4:
        return Order(number=number, capabilities=(chance.choice(_CAPABILITIES),), batch=batch)
    verified = kind > 0.6
    samples = chance.choice((4, 16, 64))
    return Order(
        number=number,
        capabilities=tuple(chance.sample(_CAPABILITIES, 2 if verified else 1)),
        batch=batch,
        calibrator=chance.choice(_CALIBRATORS),
        data=number,
        samples=samples,
        verified=verified,
        shards=_shards(chance, samples) if chance.random() < _CUT else 1,
    )


def _later(chance: random.Random, made: list[Order]) -> Order | None:
    """One that asks for some of what an earlier one asks for, or None for one that is like no other."""
    kind = chance.random()
    if made and kind < _AGAIN:
        earlier = chance.choice(made)
        return replace(earlier, shards=_shards(chance, earlier.samples)) if earlier.calibrator else earlier
    cut = [order for order in made if order.shards > 1 and order.calibrator in _OF_HISTOGRAMS]
    if cut and kind < _AGAIN + _SIBLINGS:
        earlier = chance.choice(cut)
        others = [calibrator for calibrator in _OF_HISTOGRAMS if calibrator is not earlier.calibrator]
        return replace(earlier, calibrator=chance.choice(others), batch=2 + len(made))
    return None


def _shards(chance: random.Random, samples: int) -> int:
    """In one piece, or in as many as there are batches, or fewer."""
    return min(chance.choice((1, 2, 3, 4)), samples // BATCH_SIZE)
