"""A check, what came out of it, and the list of all checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scripts.gpu_checks.host import Host
from trtfarm.errors import TrtfarmError

Numbers = dict[str, Any]


class CheckFailedError(AssertionError):
    """What was measured is not what was promised; `numbers` is what was measured so far."""

    def __init__(self, text: str, numbers: Numbers | None = None) -> None:
        super().__init__(text)
        self.numbers = numbers or {}


class SkippedError(Exception):
    """What the check needs is not here."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """`run` gives the numbers for the report, or raises; `seconds` is what it is expected to take."""

    name: str
    about: str
    seconds: float
    run: Callable[[Host], Numbers]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`status` is pass, fail or skip; `text` says why it failed or was skipped."""

    name: str
    about: str
    status: str
    seconds: float
    text: str = ""
    numbers: Numbers = field(default_factory=dict)


CHECKS: list[Check] = []


def check(about: str, *, seconds: float) -> Callable[[Callable[[Host], Numbers]], Callable[[Host], Numbers]]:
    """Puts a function on the list under its own name."""

    def put(function: Callable[[Host], Numbers]) -> Callable[[Host], Numbers]:
        name = getattr(function, "__name__", "")
        CHECKS.append(Check(name=name, about=about, seconds=seconds, run=function))
        return function

    return put


def expect(condition: bool, text: str, numbers: Numbers) -> None:  # noqa: FBT001 - reads as an assertion
    if not condition:
        raise CheckFailedError(text, numbers)


def perform(item: Check, host: Host) -> Outcome:
    """Runs one check; whatever it raises is its outcome, for the others are to run as well."""
    begun = time.monotonic()
    status, text, numbers = "pass", "", {}
    try:
        numbers = item.run(host)
    except SkippedError as error:
        status, text = "skip", str(error)
    except CheckFailedError as error:
        status, text, numbers = "fail", str(error), error.numbers
    except TrtfarmError as error:
        status, text = "fail", f"{error.code}: {error}"
    except Exception as error:  # noqa: BLE001 - the outermost edge of one check
        status, text = "fail", f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - begun
    return Outcome(name=item.name, about=item.about, status=status, seconds=seconds, text=text, numbers=numbers)
