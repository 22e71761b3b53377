"""What is wrong with a table: where, what, why it matters, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from trtfarm.errors import TableError

_TOLD = 20
_SHOWN_CHARACTERS = 80
_NAMED = 5


class Severity(StrEnum):
    #: TensorRT would misread the table, recalibrate, or build nothing.
    ERROR = "error"
    #: The table can be used; its owner should know.
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One finding. `line` counts from 1; `line` and `tensor` are None where the whole table is meant."""

    severity: Severity
    what: str
    why: str
    remedy: str
    line: int | None = None
    tensor: str | None = None

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def place(self) -> str:
        parts = [f"line {self.line}"] if self.line is not None else []
        if self.tensor is not None:
            parts.append(f"tensor {self.tensor!r}")
        return ", ".join(parts) or "table"

    def __str__(self) -> str:
        return f"{self.place}: {self.what}; {self.why}"

    def as_dict(self) -> dict[str, str | int | None]:
        return {**asdict(self), "severity": self.severity.value}


def refuse_errors(problems: Iterable[Problem], name: str = "the calibration table") -> None:
    """Raises TableError that tells every error found (beyond 20, their number); warnings pass."""
    errors = [problem for problem in problems if problem.is_error]
    if not errors:
        return
    told = [f"  {error}" for error in errors[:_TOLD]]
    if len(errors) > _TOLD:
        told.append(f"  and {len(errors) - _TOLD} more")
    found = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    raise TableError(
        "\n".join([f"{name} cannot be used: {found}", *told]),
        # Many lines often share one cause; each remedy is told once.
        remedy="; ".join(dict.fromkeys(error.remedy for error in errors[:_TOLD])),
    )


def shown(text: str) -> str:
    """A text from a file for an error message: quoted, control characters escaped, long ones cut."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


def shown_names(names: Sequence[str]) -> str:
    """The first few names, and how many there are besides."""
    listed = ", ".join(map(shown, names[:_NAMED]))
    return f"{listed} and {len(names) - _NAMED} more" if len(names) > _NAMED else listed
