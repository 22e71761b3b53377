"""Waiting for a GPU's turn, for work that is no job of a farm: a toolchain's trial, an engine run by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trtfarm.errors import ToolchainError
from trtfarm_worker.gpus.gpu import Gpu
from trtfarm_worker.gpus.keeper import GpuKeeper, HeldGpu

#: The lock of another process has no way to wake us.
_LOOK_SECONDS = 0.25


@contextmanager
def turn_on(
    keeper: GpuKeeper, fit: Callable[[Gpu], bool], what: str, *, tell: Callable[[str], None]
) -> Iterator[HeldGpu]:
    """A GPU of those that fit, as soon as nobody else uses it; given back when the block ends.

    `what` describes it in messages, `tell` hears that it has to be waited for. Raises ToolchainError where there is
    none, or none that can be used.
    """
    held = keeper.take(fit)
    if held is None:
        _check_usable(keeper, fit, what)
        tell(f"{what} is in use by another process of trtfarm; waiting for it")
        held = _waited_for(keeper, fit, what)
    try:
        yield held
    finally:
        keeper.give_back(held)


def _waited_for(keeper: GpuKeeper, fit: Callable[[Gpu], bool], what: str) -> HeldGpu:
    pause = threading.Event()
    while (held := keeper.take(fit)) is None:
        _check_usable(keeper, fit, what)
        pause.wait(_LOOK_SECONDS)
    return held


def _check_usable(keeper: GpuKeeper, fit: Callable[[Gpu], bool], what: str) -> None:
    statuses = [status for status in keeper.statuses() if fit(status.gpu)]
    if not statuses:
        here = ", ".join(f"{gpu.name} ({gpu.compute_capability})" for gpu in keeper.gpus)
        raise ToolchainError(f"there is no {what} here", cause=keeper.reason or f"here is {here}")
    reasons = [status.out_of_service or status.occupied for status in statuses]
    if all(reasons):
        raise ToolchainError(
            f"{what} cannot be used now",
            cause="; ".join(f"{status.gpu.uuid}: {reason}" for status, reason in zip(statuses, reasons, strict=True)),
            remedy="see trtfarm doctor, and nvidia-smi for who uses it",
        )
