"""What clients submit in a campaign: drawn from a seed, so that every process knows the same orders."""

from __future__ import annotations

import random
from dataclasses import dataclass

from trtfarm.calibrators import Calibrator

#: TensorRT-RTX builds for these without a GPU.
_CAPABILITIES = ("sm_80", "sm_86", "sm_89", "sm_120")
_CALIBRATORS = (Calibrator.MINMAX, Calibrator.ENTROPY2, Calibrator.PERCENTILE, Calibrator.MSE)
#: Share of the orders that ask for what an earlier one asked for.
_AGAIN = 0.15


@dataclass(frozen=True, kw_only=True)
class Order:
    """One submission; `jobs` is how many it takes where nothing of it is there yet.

    `data` is the seed of its calibration data, and `samples` how many they are; `batch` is the largest in its profile.
    Without a calibrator it is a tiny one: an FP32 engine, and nothing else.
    """

    number: int
    capabilities: tuple[str, ...]
    batch: int
    calibrator: Calibrator | None = None
    data: int = 0
    samples: int = 0
    verified: bool = False

    @property
    def jobs(self) -> int:
        return len(self.capabilities) + (0 if self.calibrator is None else 2 + self.verified)


def orders(seed: int, jobs: int) -> list[Order]:
    """As many as give so many different jobs together, or a few more."""
    chance, made, together = random.Random(seed), list[Order](), 0
    while together < jobs:
        number = len(made)
        if made and chance.random() < _AGAIN:
            made.append(_again(number, chance.choice(made)))
            continue
        made.append(_order(chance, number))
        together += made[-1].jobs
    return made


def _order(chance: random.Random, number: int) -> Order:
    # Every profile is another one, so that no build is another order's.
    kind, batch = chance.random(), 2 + number
    if kind < 0.4:
        return Order(number=number, capabilities=(chance.choice(_CAPABILITIES),), batch=batch)
    verified = kind > 0.6
    return Order(
        number=number,
        capabilities=tuple(chance.sample(_CAPABILITIES, 2 if verified else 1)),
        batch=batch,
        calibrator=chance.choice(_CALIBRATORS),
        data=number,
        samples=chance.choice((4, 16, 64)),
        verified=verified,
    )


def _again(number: int, earlier: Order) -> Order:
    return Order(**{**vars(earlier), "number": number})
