"""What an order leads to, told before the farm is open: its database takes longer to open than all of this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from trtfarm.database.glance import surely_without_model
from trtfarm.errors import ToolchainError
from trtfarm.models.model import Model
from trtfarm.settings import Settings
from trtfarm.targets import BuildTarget
from trtfarm_worker.alive import worker_seen
from trtfarm_worker.order import Order
from trtfarm_worker.toolchains.choice import choose, target_of
from trtfarm_worker.toolchains.toolchain import Toolchain


def foreseen(
    settings: Settings, order: Order, model: Model, toolchains: Sequence[Toolchain], *, fresh: bool
) -> tuple[BuildTarget, ...]:
    """The targets on GPUs that jobs for this order will be done for, by this process.

    None where that is not certain yet: of a model that is known nothing may be left to do, unless all is to be done
    `fresh`, and a worker of this host would do it.
    """
    targets = tuple(_on_gpus(settings, order, model, toolchains))
    if not targets or worker_seen(settings.home):
        return ()
    return targets if fresh or surely_without_model(settings, model.digest) else ()


def _on_gpus(settings: Settings, order: Order, model: Model, toolchains: Sequence[Toolchain]) -> Iterator[BuildTarget]:
    """Of the targets that toolchains of this host build, those that take a GPU."""
    for wanted in order.targets or settings.targets:
        with suppress(ToolchainError):
            products = model.summary.matrix_products
            best = choose(
                toolchains, target=wanted, precision=order.precision, version=order.tensorrt, products=products
            )
            if (target := target_of(best, wanted)).on_gpu:
                yield target
