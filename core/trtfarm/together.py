"""What threads ask for at the same time, done in one go: the group commit of databases, for calls of any kind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Given = TypeVar("Given")

#: So that none of them waits for very many others.
_AT_MOST = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class _Call(Generic[Asked, Given]):
    asked: Asked
    given: Future[Given] = field(default_factory=Future)


class Together(Generic[Asked, Given]):
    """Called by threads. One that comes alone is served at once; those that come meanwhile gather, and are served next.

    `several` serves any number in the order in which they came, or raises and has done nothing. Then each is served
    by `one`, and gets its own result or error; but an error of the kinds `of_all` is everybody's.
    """

    def __init__(
        self,
        *,
        several: Callable[[Sequence[Asked]], Sequence[Given]],
        one: Callable[[Asked], Given],
        of_all: type[Exception],
    ) -> None:
        self._several = several
        self._one = one
        self._of_all = of_all
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[_Call[Asked, Given]] = []

    def __call__(self, asked: Asked) -> Given:
        call = _Call[Asked, Given](asked=asked)
        with self._lock:
            self._waiting.append(call)
        try:
            with self._turn:
                while not call.given.done():
                    self._serve_next()
        finally:
            with self._lock:  # where this thread was interrupted
                self._waiting = [other for other in self._waiting if other is not call]
        return call.given.result()

    def _serve_next(self) -> None:
        with self._lock:
            calls, self._waiting = self._waiting[:_AT_MOST], self._waiting[_AT_MOST:]
        try:
            if len(calls) == 1 or not self._serve_all(calls):
                for call in calls:
                    self._serve(call)
        finally:
            with self._lock:  # an interrupt is of this thread alone
                self._waiting[:0] = [call for call in calls if not call.given.done()]

    def _serve_all(self, calls: Sequence[_Call[Asked, Given]]) -> bool:
        try:
            given = self._several([call.asked for call in calls])
        except self._of_all as error:
            for call in calls:
                call.given.set_exception(error)
        except Exception:  # noqa: BLE001 - whose it is comes out when each is served alone
            return False
        else:
            for call, result in zip(calls, given, strict=True):
                call.given.set_result(result)
        return True

    def _serve(self, call: _Call[Asked, Given]) -> None:
        try:
            call.given.set_result(self._one(call.asked))
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            call.given.set_exception(error)
