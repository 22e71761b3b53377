"""How a command that failed says so: in words, or as JSON, and by its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.exceptions import TyperException

from trtfarm.errors import TrtfarmError, UsageError
from trtfarm_cli import exits


class SubmissionFailedError(Exception):
    """A submission that did not give all it was to give: the error that decides, and the facts of what there is."""

    def __init__(self, error: TrtfarmError, facts: Mapping[str, Any]) -> None:
        super().__init__(str(error))
        self.error = error
        self.facts = facts


#: What a command raises on purpose.
DELIBERATE = (TrtfarmError, TyperException, SubmissionFailedError)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What is told: `text` to a person, `facts` (as `TrtfarmError.as_dict` has them, and more) to a program."""

    exit_code: int
    text: str
    facts: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {**self.facts, "exit_code": self.exit_code}


def failure_of(error: BaseException) -> Failure:
    """What to tell of an error that ended a command."""
    if isinstance(error, SubmissionFailedError):
        failure = _deliberate(error.error)
        return Failure(
            exit_code=failure.exit_code, text=failure.text, facts={**failure.facts, "submission": error.facts}
        )
    if isinstance(error, TyperException):
        return _usage(error)
    if isinstance(error, OSError):
        return _deliberate(_storage_error(error))
    if isinstance(error, TrtfarmError):
        return _deliberate(error)
    facts = {"code": "interrupted", "message": "interrupted", "cause": None, "remedy": None, "retryable": True}
    return Failure(exit_code=exits.INTERRUPTED, text="interrupted", facts=facts)


def _deliberate(error: TrtfarmError) -> Failure:
    return Failure(exit_code=exits.code_of(error), text=f"error: {error}", facts=error.as_dict())


def _usage(error: TyperException) -> Failure:
    context = getattr(error, "ctx", None)
    remedy = f"{context.command_path} --help" if context else None
    if context and error.message == context.get_help():  # a group of commands, and none of them named
        told = UsageError("no command is named", remedy=remedy)
        return Failure(exit_code=error.exit_code, text=error.message, facts=told.as_dict())
    # Pydantic, which Typer reads options with, begins what a type says with this.
    told = UsageError(error.format_message().rstrip(".").replace("Value error, ", "", 1), remedy=remedy)
    return Failure(exit_code=error.exit_code, text=f"error: {told}", facts=told.as_dict())


def _storage_error(error: OSError) -> TrtfarmError:
    """An error of the system that no command expected: a home that cannot be written, a full disk."""
    from trtfarm.file_errors import storage_error

    return storage_error(error, Path(str(error.filename or "a file")))
