"""The batches of a calibration on their way to the GPU.

While TensorRT runs one batch, a thread reads the next into pinned memory and has it copied: file, copy and network
overlap, and calibration takes as long as the slowest of them instead of their sum.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.arrays import ArrayFile
from trtfarm_builder.failures import BadDataError
from trtfarm_builder.trt import gpu


@dataclass(frozen=True)
class Feed:
    """Where one input's samples come from, and the type that the network wants them in."""

    array: ArrayFile
    dtype: "np.dtype[Any]"

    def nbytes(self, batch_size: int) -> int:
        shape = (batch_size, *self.array.shape[1:])
        return int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize


class Slot:
    """Room for one batch: pinned host memory and GPU memory for each input."""

    def __init__(self, feeds: Mapping[str, Feed], batch_size: int, stack: ExitStack) -> None:
        self._feeds = feeds
        self._batch_size = batch_size
        self._host = {
            name: stack.enter_context(gpu.pinned_memory(feed.nbytes(batch_size))) for name, feed in feeds.items()
        }
        self.addresses = {
            name: stack.enter_context(gpu.device_memory(feed.nbytes(batch_size))) for name, feed in feeds.items()
        }

    def fill(self, batch: int, stream: Any) -> None:
        """Reads batch number `batch` and copies it; it is on the GPU when this returns."""
        for name, feed in self._feeds.items():
            start = batch * self._batch_size
            shape = (self._batch_size, *feed.array.shape[1:])
            staged = self._host[name].view(feed.dtype).reshape(shape)
            read_as(feed, start, start + self._batch_size, staged)
            gpu.copy_to_gpu(self.addresses[name], staged, stream)
        gpu.synchronize(stream)


class OverlappedBatches:
    """Two slots in turn: one is TensorRT's while the other is filled."""

    def __init__(self, feeds: Mapping[str, Feed], batch_size: int, count: int, stack: ExitStack) -> None:
        self._count = count
        self._next = 0
        self._stream = stack.enter_context(gpu.stream())
        self._slots = [Slot(feeds, batch_size, stack) for _ in range(2)]
        # Left before the slots and the stream are: nothing is copied into memory that is gone.
        self._pool = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="calibration-data"))
        self._pending: Optional[Future[None]] = self._start()

    def _start(self) -> Optional["Future[None]"]:
        if self._next == self._count:
            return None
        return self._pool.submit(self._slots[self._next % 2].fill, self._next, self._stream)

    def take(self) -> Optional[Dict[str, int]]:
        """GPU addresses of the next batch's inputs; None after the last.

        Asking for a batch says that TensorRT is done with the one before, whose slot is filled next.
        """
        if self._pending is None:
            return None
        self._pending.result()
        slot = self._slots[self._next % 2]
        self._next += 1
        # TensorRT may have asked before its kernels have ended that read the other slot.
        gpu.call("cudaDeviceSynchronize")
        self._pending = self._start()
        return slot.addresses


class PlainBatches:
    """One slot without a thread: every batch is read and copied while TensorRT waits. To compare with."""

    def __init__(self, feeds: Mapping[str, Feed], batch_size: int, count: int, stack: ExitStack) -> None:
        self._feeds = feeds
        self._batch_size = batch_size
        self._count = count
        self._next = 0
        self._addresses = {
            name: stack.enter_context(gpu.device_memory(feed.nbytes(batch_size))) for name, feed in feeds.items()
        }

    def take(self) -> Optional[Dict[str, int]]:
        if self._next == self._count:
            return None
        for name, feed in self._feeds.items():
            start = self._next * self._batch_size
            values = np.empty((self._batch_size, *feed.array.shape[1:]), feed.dtype)
            read_as(feed, start, start + self._batch_size, values)
            gpu.copy_to_gpu(self._addresses[name], values)
        self._next += 1
        return self._addresses


def read_as(feed: Feed, start: int, stop: int, out: NDArray[Any]) -> None:
    """Reads samples into `out`, in the network's type. Raises BadDataError for integers that do not fit into it."""
    if feed.array.dtype == feed.dtype:
        feed.array.read_into(start, stop, out)
        return
    values = feed.array.read(start, stop)
    if np.issubdtype(feed.dtype, np.integer):
        limits = np.iinfo(feed.dtype)
        if values.size and (values.min() < limits.min or values.max() > limits.max):
            raise BadDataError(
                "{} holds numbers beyond {}".format(feed.array.path.name, feed.dtype),
                cause="this TensorRT takes {} where the model says {}".format(feed.dtype, feed.array.dtype),
                remedy="use a TensorRT from 10 on, or smaller numbers",
            )
    np.copyto(out, values, casting="unsafe")
