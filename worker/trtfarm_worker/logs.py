"""What a worker has to say about itself: one logfmt line each, on stderr, because stdout is for data."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any


class _Logger:
    """Loads structlog with the first line: its import takes longer than most commands, and few have one to say."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    @cached_property
    def _native(self) -> Any:
        import structlog  # noqa: PLC0415 - see above

        # Without a configuration it would print on stdout.
        if not structlog.is_configured():
            log_to_stderr()
        return structlog.get_logger()


def logger() -> Any:
    """A logger that can be bound to a job."""
    return _Logger()


def log_to_stderr() -> None:
    import structlog  # noqa: PLC0415 - as in `_Logger`

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(),
        ],
        # Asked for at each line: whoever takes stderr over for a while gets the lines of that while.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
