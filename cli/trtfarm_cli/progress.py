"""What a person sees of long work: bars on a terminal, one line per change elsewhere. All on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from trtfarm_cli import output

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from trtfarm_worker.builder.events import LogLine, Progress


class View(Protocol):
    """Shows named pieces of work; each is told of with words, and with counts where there are some."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def state(self, name: str, text: str, *, ended: bool = False) -> None:
        """A piece of work is in a new state, told in a few words."""

    def progress(self, name: str, stage: str, done: int, total: int | None, unit: str) -> None:
        """How far a piece of work is; `total` None is not known."""


def view() -> View:
    """The view that suits stderr."""
    return BarView() if sys.stderr.isatty() else LineView()


class LineView:
    """For logs and pipes: states as lines, no counts."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def state(self, name: str, text: str, *, ended: bool = False) -> None:  # noqa: ARG002 - a line is a line
        output.say(f"{name}: {text}")

    def progress(self, name: str, stage: str, done: int, total: int | None, unit: str) -> None:
        """Counts would fill a log."""


class BarView:
    """For terminals: a bar per piece of work. A command that finds nothing to do never pays for rich."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    @cached_property
    def _bars(self) -> Bars:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        # A name may look like rich's markup.
        words = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[text]}", markup=False)
        bars = Bars(words[0], BarColumn(bar_width=24), words[1], TimeElapsedColumn(), console=output.console())
        return self._ending.enter_context(bars)

    def state(self, name: str, text: str, *, ended: bool = False) -> None:
        task = self._task(name)
        self._bars.update(task, text=text)
        if ended:
            total = self._bars.tasks[task].total or 1
            self._bars.update(task, total=total, completed=total)
            self._bars.stop_task(task)

    def progress(self, name: str, stage: str, done: int, total: int | None, unit: str) -> None:
        count = f"{done} {unit}" if total is None else f"{done}/{total} {unit}"
        self._bars.update(self._task(name), completed=done, total=total, text=f"{stage} {count}")

    def _task(self, name: str) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=None, text="")
        return self._tasks[name]


def listener(shown: View, name: str) -> Callable[[Progress | LogLine], None]:
    """What a builder says, shown as one piece of work; its warnings and errors are lines of their own."""
    from trtfarm_worker.builder.events import Progress

    def hear(event: Progress | LogLine) -> None:
        if isinstance(event, Progress):
            shown.progress(name, event.stage, event.done, event.total, event.unit)
        elif event.level in {"warning", "error"}:
            output.say(f"{name}: {event.level}: {event.text}")

    return hear
