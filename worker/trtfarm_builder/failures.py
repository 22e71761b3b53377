"""What a step raises when it cannot do its work; the codes are those of trtfarm.errors, known here by word only."""

from typing import Optional


class StepError(Exception):
    """Base: `code` tells the supervisor whose fault it is."""

    code = "builder"

    def __init__(self, message: str, cause: Optional[str] = None, remedy: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.remedy = remedy


class BadRequestError(StepError):
    code = "usage"


class BadModelError(StepError):
    code = "bad_model"


class BadDataError(StepError):
    code = "bad_data"


class BadTableError(StepError):
    code = "bad_table"


class ToolchainUnfitError(StepError):
    code = "no_toolchain"


class GpuMemoryError(StepError):
    """The GPU has no room left; another process may hold it."""

    code = "builder_memory"


class AccuracyError(StepError):
    code = "gate"
