"""Exit codes, the only place that knows them: error class -> number. Documented in docs/cli.md."""

from __future__ import annotations

from trtfarm import errors

OK = 0
FAILED = 1
BAD_TABLE = 5
NO_TOOLCHAIN = 6
#: Of a worker that left because it was told to; it is not to be started again.
DRAINED = 20
INTERRUPTED = 130

#: The nearest class on an error's way up decides.
CODES: dict[type[BaseException], int] = {
    errors.TrtfarmError: FAILED,
    errors.UsageError: 2,
    errors.ModelError: 3,
    errors.DataError: 4,
    errors.TableError: BAD_TABLE,
    errors.ToolchainError: NO_TOOLCHAIN,
    errors.GateError: 7,
    errors.NotFoundError: 8,
    errors.BuilderError: 9,
    errors.StorageError: 10,
    errors.SignatureError: 11,
    errors.ServerError: 12,
    errors.AccessError: 13,
    errors.BundleError: 14,
    errors.SchemaError: 15,
    errors.ConflictError: 16,
}


def code_of(error: BaseException) -> int:
    return next((CODES[cls] for cls in type(error).__mro__ if cls in CODES), FAILED)
