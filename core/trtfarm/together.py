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
#: Who came together comes together again, once each has got its own: the first one waits for the others for so long.
_MOMENT_SECONDS = 0.005


@dataclass(frozen=True, kw_only=True, eq=False)
class _Call(Generic[Asked, Given]):
    asked: Asked
    given: Future[Given] = field(default_factory=Future)
    #: Set when the call was served, and when its thread is to serve those that wait.
    woken: threading.Event = field(default_factory=threading.Event)


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
        self._lock = threading.Lock()
        self._gathered = threading.Condition(self._lock)
        self._waiting: list[_Call[Asked, Given]] = []
        #: How many were served the last time.
        self._last = 0
        #: Whose thread serves. No lock is held meanwhile: who was served goes at once, and can come again in time for
        #: the next to be served, however many wait.
        self._serving: _Call[Asked, Given] | None = None

    def __call__(self, asked: Asked) -> Given:
        call = _Call[Asked, Given](asked=asked)
        with self._lock:
            self._waiting.append(call)
            if self._serving is None:
                self._hand_over()
            elif len(self._waiting) == self._last:
                self._gathered.notify()
        try:
            call.woken.wait()
            if not call.given.done():
                self._serve_next()
        finally:
            self._leave(call)
        return call.given.result()

    def _hand_over(self) -> None:
        """Has the first of those that wait serve; the lock is held."""
        self._serving = self._waiting[0] if self._waiting else None
        if self._serving is not None:
            self._serving.woken.set()

    def _leave(self, call: _Call[Asked, Given]) -> None:
        """Also where its thread was interrupted."""
        with self._lock:
            if not call.given.done():
                self._waiting = [other for other in self._waiting if other is not call]
            if self._serving is call:
                self._hand_over()

    def _serve_next(self) -> None:
        with self._lock:
            self._gathered.wait_for(lambda: len(self._waiting) >= self._last, _MOMENT_SECONDS)
            calls, self._waiting = self._waiting[:_AT_MOST], self._waiting[_AT_MOST:]
            self._last = len(calls)
        try:
            if len(calls) == 1 or not self._serve_all(calls):
                for call in calls:
                    self._serve(call)
        finally:
            with self._lock:  # an interrupt is of this thread alone
                self._waiting[:0] = [call for call in calls if not call.given.done()]
            for call in calls:
                if call.given.done():
                    call.woken.set()

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
