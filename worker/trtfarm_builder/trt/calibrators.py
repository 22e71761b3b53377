"""TensorRT's calibrator interfaces: one that feeds batches, and one that only hands over a table.

The bindings drop what a calibrator raises, and go on to a table of what was seen so far. So nothing may be raised here:
the first exception is kept, TensorRT is told that there are no more batches, and the step raises it afterwards.
"""

import functools
import threading
import time
from typing import Any, Callable, List, Mapping, Optional, TypeVar, cast

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadTableError, StepError
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.cache_text import CacheText
from trtfarm_builder.trt.interfaces import interface_of

_DEFAULT_QUANTILE = 0.9999
_DEFAULT_CUTOFF = 1.0
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _kept(method: _Method) -> _Method:
    @functools.wraps(method)
    def guarded(self: "Calibrator", *args: Any) -> Any:
        try:
            return method(self, *args)
        except BaseException as error:  # noqa: BLE001 - would vanish in the binding; the step raises it again
            self.failure = self.failure or error
            return None

    return cast(_Method, guarded)


class Calibrator:
    """What all have in common; legacy asks for quantile and cutoff besides."""

    def __init__(self, batch_size: int, quantile: Optional[float], cutoff: Optional[float]) -> None:
        self._batch_size = batch_size
        self._quantile = _DEFAULT_QUANTILE if quantile is None else quantile
        self._cutoff = _DEFAULT_CUTOFF if cutoff is None else cutoff
        #: The first exception of any method.
        self.failure: Optional[BaseException] = None

    def get_batch_size(self) -> int:
        return self._batch_size

    def get_quantile(self) -> float:
        return self._quantile

    def get_regression_cutoff(self) -> float:
        return self._cutoff

    def read_histogram_cache(self, *_: Any) -> None:
        """None: the binding has no way to tell TensorRT how long a histogram would be."""

    def write_histogram_cache(self, *_: Any) -> None:
        """Not kept, for it could never be read again."""


class FeedingCalibrator(Calibrator):
    """Hands out batches and takes the table; `done` is set once TensorRT has written it.

    `on_table` is called then, if the table is of all batches and nothing has failed.
    """

    def __init__(
        self,
        rule: Mapping[str, Any],
        batches: Any,
        expected: int,
        channel: Channel,
        on_table: Optional[Callable[[Any], None]] = None,
    ) -> None:
        super().__init__(int(rule["batch_size"]), rule.get("quantile"), rule.get("cutoff"))
        self._source = batches
        self._expected = expected
        self._channel = channel
        self._on_table = on_table
        self._begun = 0.0
        self.batches = 0
        #: Seconds from the first batch asked for to the table written.
        self.seconds = 0.0
        #: The table's text.
        self.table: Optional[bytes] = None
        self.done = threading.Event()

    @_kept
    def get_batch(self, names: List[str]) -> Optional[List[int]]:
        if self.failure is not None:
            return None
        self._begun = self._begun or time.monotonic()
        addresses = self._source.take()
        if addresses is None:
            return None
        self.batches += 1
        self._channel.progress("calibrate", self.batches, self._expected, "batches")
        return [addresses[name] for name in names]

    @_kept
    def read_calibration_cache(self) -> None:
        """None: calibrate."""

    @_kept
    def write_calibration_cache(self, cache: Any) -> None:
        self.seconds = time.monotonic() - self._begun
        self.table = bytes(cache)
        self.done.set()
        # TensorRT may write it more than once; it is told of once.
        on_table, self._on_table = self._on_table, None
        if on_table is not None and self.failure is None and self.batches == self._expected:
            on_table(self)

    def check(self, reason: Optional[str]) -> None:
        """Raises what a method raised, and StepError, for `reason`, where TensorRT saw less than all batches."""
        if self.failure is not None:
            raise self.failure
        if self.batches != self._expected:
            raise StepError(
                "TensorRT calibrated on {} batches of {}".format(self.batches, self._expected),
                cause=reason,
                remedy="try again; if it stays so, report it with the job's log",
            )


class TableCalibrator(Calibrator):
    """Hands over a table. TensorRT asks for batches only where it rejects that; it gets none."""

    def __init__(self, table: CacheText) -> None:
        super().__init__(1, table.quantile, table.cutoff)
        # Kept: TensorRT reads from this memory.
        self._text = table.render()
        self.rejected = False

    @_kept
    def get_batch(self, names: List[str]) -> None:  # noqa: ARG002 - TensorRT's signature
        self.rejected = True

    @_kept
    def read_calibration_cache(self) -> bytes:
        return self._text

    @_kept
    def write_calibration_cache(self, cache: Any) -> None:
        """Called even where the table was read."""

    def check(self, reason: Optional[str]) -> None:
        """Raises BadTableError where TensorRT rejected the table, else what a method raised."""
        if self.failure is not None:
            raise self.failure
        if self.rejected:
            raise BadTableError(
                "TensorRT {} rejected the calibration table and wanted to calibrate anew".format(trt.__version__),
                cause=reason,
                remedy="use a table of this calibrator's, or calibrate on this toolchain",
            )


def feeding_calibrator(
    rule: Mapping[str, Any],
    batches: Any,
    expected: int,
    channel: Channel,
    on_table: Optional[Callable[[Any], None]] = None,
) -> Any:
    """A FeedingCalibrator that is also TensorRT's interface for the rule's calibrator."""
    made = _joined(FeedingCalibrator, interface_of(rule["calibrator"]))
    FeedingCalibrator.__init__(made, rule, batches, expected, channel, on_table)
    return made


def table_calibrator(table: CacheText) -> Any:
    """A TableCalibrator that is also the interface whose tables begin as this one."""
    made = _joined(TableCalibrator, interface_of(table.calibrator))
    TableCalibrator.__init__(made, table)
    return made


def _joined(behaviour: Any, interface: Any) -> Any:
    """An object of both classes; the bindings insist that their own `__init__` is called by name, and first."""
    joined: Any = type(behaviour.__name__, (behaviour, interface), {})
    made = joined.__new__(joined)
    interface.__init__(made)
    return made
