"""Standard output, whose reader may leave before all is written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper


class ReaderGoneError(Exception):
    """Whoever read our output has had enough (`| head`): no error, but nobody is left to tell anything.

    It is no OSError: Typer, which writes the help, ends the process with 1 when it sees a broken pipe of any kind.
    """


class Stdout(TextIOWrapper):
    """Raises ReaderGoneError where the reader is gone; other errors say where they were. Any text can be written."""

    #: Kept, as it would close what both write to.
    _replaced: TextIOWrapper

    @classmethod
    def like(cls, stream: TextIOWrapper) -> Stdout:
        """One that writes to the same file."""
        made = cls(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        made._replaced = stream
        return made

    def write(self, text: str, /) -> int:
        with _writing():
            return super().write(text)

    def flush(self) -> None:
        with _writing():
            super().flush()


def replace() -> None:
    """Puts one in the place of the interpreter's own: a file's name need not be valid UTF-8."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout = Stdout.like(sys.stdout)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        error.filename = "standard output"
        raise
