"""What a worker has to say about itself: one logfmt line each, on stderr, because stdout is for data."""

from __future__ import annotations

import sys
from typing import Any

import structlog


def logger() -> Any:
    """A logger that can be bound to a job; without a configuration, structlog would print on stdout."""
    if not structlog.is_configured():
        log_to_stderr()
    return structlog.get_logger()


def log_to_stderr() -> None:
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
