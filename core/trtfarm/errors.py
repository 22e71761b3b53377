"""Every error that trtfarm raises on purpose, in one tree.

TrtfarmError
├── InputError                what the user handed in is unfit; nothing was stored, a retry cannot help
│   ├── UsageError            options that contradict each other or name what does not exist
│   ├── ModelError            not ONNX, truncated, hostile, or outside of what can be quantised
│   ├── DataError             calibration or verification data that does not fit the model
│   ├── TableError            a calibration table that TensorRT would misread
│   └── BundleError           a bundle that is damaged, or holds what no farm would put into one
├── NotFoundError             no such job, table, engine, toolchain, file
│   └── UnreadableError       there is such a file, and it cannot be read
├── ConflictError             what is there contradicts what was asked: another offset, another request under a key
├── AccessError               not without a token
│   └── ForbiddenError        nor with this one
├── TooLargeError             more bytes than are taken
├── BusyError                 more requests than are taken; later they are
├── ServerError               what answers at a farm's address is no farm, or one of another release
│   └── UnreachableError      nobody answers there, or the connection broke
├── ToolchainError            no toolchain can do this, or the one that should is broken
│   └── NoWorkerError         one can, but on no worker with the labels or the memory that are required
├── SignatureError            an engine that no trusted key signed so, or a key that cannot be used
├── GateError                 built and measured, but less accurate than asked for
├── BuilderError              the builder child ended badly
│   ├── BuilderCrashError     a signal or an exit code without an answer
│   ├── BuilderMemoryError    more memory than the limit, or the kernel's out-of-memory killer
│   ├── BuilderTimeoutError   ran, or stayed silent, for longer than allowed
│   └── BuilderCancelledError stopped on request
├── JobFailedError            a job that this one needs failed; its own error is the cause
├── ClaimLostError            another attempt of the job has begun, or the job has ended: drop this one's result
└── StorageError              the database or the blob store failed
    ├── CorruptBlobError      bytes that do not match their digest
    ├── MissingBlobError      no bytes under a digest that a row names
    ├── DiskFullError         no space left
    └── SchemaError           a database made by a newer release

Each carries what happened (`message`), the likely cause (`cause`) and what to do next (`remedy`). Exit codes belong to
the CLI and HTTP forms to the API: neither is known here.
"""

from __future__ import annotations

from typing import ClassVar


class TrtfarmError(Exception):
    """Base of all deliberate errors.

    `code` is a stable, documented word for programs; `retryable` says whether the same request may succeed on another
    attempt (the farm's fault) or never will (the user's).
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    #: Seconds after which another attempt makes sense, where somebody said so.
    retry_after: float | None = None

    def __init__(self, message: str, *, cause: str | None = None, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [self.message]
        if self.cause:
            parts.append(f"cause: {self.cause}")
        if self.remedy:
            parts.append(f"what to do: {self.remedy}")
        return "\n".join(parts)

    def as_dict(self) -> dict[str, str | bool | None]:
        """The error as plain data, for the database, `--json` and the wire."""
        return {
            "code": self.code,
            "message": self.message,
            "cause": self.cause,
            "remedy": self.remedy,
            "retryable": self.retryable,
        }


class InputError(TrtfarmError):
    code = "bad_input"


class UsageError(InputError):
    code = "usage"


class ModelError(InputError):
    code = "bad_model"


class DataError(InputError):
    code = "bad_data"


class TableError(InputError):
    code = "bad_table"


class BundleError(InputError):
    code = "bad_bundle"


class NotFoundError(TrtfarmError):
    code = "not_found"


class UnreadableError(NotFoundError):
    code = "unreadable"


class ConflictError(TrtfarmError):
    code = "conflict"


class AccessError(TrtfarmError):
    code = "unauthenticated"


class ForbiddenError(AccessError):
    code = "forbidden"


class TooLargeError(TrtfarmError):
    code = "too_large"


class BusyError(TrtfarmError):
    code = "busy"
    retryable = True


class ServerError(TrtfarmError):
    code = "server"


class UnreachableError(ServerError):
    code = "unreachable"
    retryable = True


class ToolchainError(TrtfarmError):
    code = "no_toolchain"


class NoWorkerError(ToolchainError):
    code = "no_worker"


class SignatureError(TrtfarmError):
    code = "signature"


class GateError(TrtfarmError):
    code = "gate"


class BuilderError(TrtfarmError):
    code = "builder"
    retryable = True


class BuilderCrashError(BuilderError):
    code = "builder_crash"


class BuilderMemoryError(BuilderError):
    code = "builder_memory"


class BuilderTimeoutError(BuilderError):
    code = "builder_timeout"
    retryable = False


class BuilderCancelledError(BuilderError):
    code = "cancelled"
    retryable = False


class JobFailedError(TrtfarmError):
    code = "job_failed"


class ClaimLostError(TrtfarmError):
    code = "claim_lost"


class StorageError(TrtfarmError):
    code = "storage"
    retryable = True


class CorruptBlobError(StorageError):
    code = "corrupt_blob"


class MissingBlobError(StorageError):
    code = "missing_blob"


class DiskFullError(StorageError):
    code = "disk_full"


class SchemaError(StorageError):
    code = "schema"
    retryable = False


def error_from_dict(data: dict[str, object]) -> TrtfarmError:
    """The error that `TrtfarmError.as_dict` described; an unknown code gives the base class."""

    def text(key: str) -> str | None:
        value = data.get(key)
        return value if isinstance(value, str) else None

    pending: list[type[TrtfarmError]] = [TrtfarmError]
    found = TrtfarmError
    while pending:
        cls = pending.pop()
        if cls.code == data.get("code"):
            found = cls
            break
        pending.extend(cls.__subclasses__())
    return found(text("message") or "unknown error", cause=text("cause"), remedy=text("remedy"))
