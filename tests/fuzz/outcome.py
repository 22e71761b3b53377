"""What every parser owes its caller, whatever it is handed: a value or one of our errors, soon and in little memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from trtfarm.errors import TrtfarmError

Result = TypeVar("Result")

#: CPU seconds of one call; a quick parser takes a thousandth, a busy machine or tracing costs some more.
SECONDS = 5.0
#: Bytes that a call may allocate at once: what its limits allow for the small files handed in here.
MEMORY_BYTES = 64 << 20
_TOLD_CHARACTERS = 20_000


def outcome(
    act: Callable[[], Result], *refusals: type[TrtfarmError], memory_bytes: int = MEMORY_BYTES
) -> Result | None:
    """What `act` returns, or None where it refused with one of these errors; any other exception passes through."""
    with _soon_and_small(memory_bytes):
        try:
            return act()
        except refusals as error:
            told(error)
            return None


@contextmanager
def _soon_and_small(memory_bytes: int) -> Iterator[None]:
    tracemalloc.start()
    begun = time.process_time()
    try:
        yield
        seconds, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seconds < SECONDS
    assert peak < memory_bytes


def told(error: TrtfarmError) -> None:
    """Checks that an error says what happened, and why or what to do, without repeating all that it was handed."""
    assert error.code != TrtfarmError.code
    assert error.message
    assert error.cause or error.remedy
    assert len(str(error)) < _TOLD_CHARACTERS
