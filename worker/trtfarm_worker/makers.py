"""Who makes what an order asks for: toolchains of this host, and those of workers for what these cannot."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trtfarm.calibrators import CalibrationRule
from trtfarm.errors import ToolchainError
from trtfarm.models.model import Model
from trtfarm.targets import BuildTarget
from trtfarm_worker.data_reader import Tell
from trtfarm_worker.order import Order, takers
from trtfarm_worker.sites import CalibrateWith, calibration_site
from trtfarm_worker.stock import Stock
from trtfarm_worker.toolchains.choice import choose, stands_in, target_of
from trtfarm_worker.toolchains.toolchain import Toolchain


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What is built, in the order in which it was asked for, and where what stays beside INT8 is float16."""

    all: tuple[BuildTarget, ...]
    in_float16: tuple[str, ...]


class Makers:
    """`here` are the toolchains of this host; `tell` hears what was chosen."""

    def __init__(self, stock: Stock, here: Sequence[Toolchain], tell: Tell) -> None:
        self._stock = stock
        self._here = here
        self._tell = tell

    @cached_property
    def _everywhere(self) -> Sequence[Toolchain]:
        return [*self._here, *self._stock.toolchains()]

    def targets(self, order: Order, model: Model) -> Targets:
        """With the best toolchain for each; one that was asked for twice is built once. Raises ToolchainError."""
        products = model.summary.matrix_products
        targets, in_float16 = [], []
        for wanted in dict.fromkeys(order.targets or self._stock.settings.targets):
            asked: dict[str, Any] = {"target": wanted, "precision": order.precision, "version": order.tensorrt}
            best = self._best(**asked, products=products)
            target = target_of(best, wanted)
            targets.append(target)
            if reason := stands_in(best, wanted, order.precision, products=products):
                in_float16.append(str(target))
                self._tell(f"{wanted}: what stays beside INT8 is float16 there, for {best.name} says: {reason}")
        return Targets(all=tuple(targets), in_float16=tuple(in_float16))

    def _best(self, **wanted: Any) -> Toolchain:
        """Of this host, so that the same order finds the same results whichever workers are up; else of a worker.

        What neither can waits for a worker that could lately.
        """
        with suppress(ToolchainError):
            return choose(self._here, **wanted)
        try:
            return choose(self._everywhere, **wanted)
        except ToolchainError:
            lately = self._stock.toolchains_lately()
            if not lately:
                raise
            best = choose([*self._everywhere, *lately], **wanted)
            self._tell(f"{wanted['target']}: waits for a worker, {best.name} takes no jobs now")
            return best

    def calibration(
        self, order: Order, targets: Sequence[BuildTarget], rule: CalibrationRule | None, *, compared: bool
    ) -> BuildTarget | None:
        """Where TensorRT calibrates by a rule, `compared` with others or alone; None on the CPU, and without a rule."""
        if rule is None:
            return None
        # Some of those that are compared TensorRT does not have: without a wish, one hand makes all their tables.
        unasked = CalibrateWith.REFERENCE if compared else None
        site = calibration_site(
            rule,
            targets,
            self._everywhere,
            wanted=order.calibrate_with or unasked,
            takers=takers(order, targets),
            restamp=order.restamp,
        )
        if any(target.on_gpu for target in targets):
            where = f"TensorRT {site.tensorrt} on {site.compute_capability}" if site else "on the CPU"
            self._tell(f"calibration: {where}")
        return site
