"""What the scan raises deep inside a file; `Model.read` adds the file's name and makes it a ModelError."""

from __future__ import annotations

from trtfarm.errors import ModelError


class MalformedError(Exception):
    """`cause` says which rule was broken and where; `remedy` is set where there is a better one than a new export."""

    def __init__(self, cause: str, *, remedy: str | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy

    def about(self, name: object) -> ModelError:
        return ModelError(
            f"{name} cannot be used as an ONNX model",
            cause=self.cause,
            remedy=self.remedy or "export the model again, and check it with onnx.checker",
        )
