"""What the farm knows about a toolchain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from trtfarm.calibrators import Calibrator
from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class ToolchainKind(StrEnum):
    """What a toolchain holds, which decides what it can do."""

    #: The worker's own interpreter: ONNX Runtime calibrates on the CPU. Builds no engines.
    REFERENCE = "reference"
    #: TensorRT-RTX: builds from Q/DQ models without a GPU. Has no calibrators.
    TENSORRT_RTX = "tensorrt-rtx"
    #: TensorRT: needs the GPU that it builds for.
    TENSORRT = "tensorrt"


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a probe found that a toolchain can do on this host."""

    compute_capabilities: tuple[ComputeCapability, ...] = ()
    #: int8, fp16, int8+fp16, …: words of submissions, and others that TensorRT has, in lower case.
    precisions: tuple[str, ...] = ()
    calibrators: tuple[Calibrator, ...] = ()
    #: What it should do but cannot (a precision, `gpu`), and why.
    lacking: Mapping[str, str] = field(default_factory=dict)
    #: Precision -> compute capability -> why it has that precision for others, but not for this one.
    exceptions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: The same for what only models with matrix products cannot have.
    without_products: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def lack(self, precision: str, target: ComputeCapability, *, products: bool) -> str | None:
        """Why no model can be built for this target in a precision that others have; None where one can.

        `products` says whether the model has matrix products.
        """
        reasons = [self.exceptions, self.without_products] if products else [self.exceptions]
        found = (told.get(precision, {}).get(str(target)) for told in reasons)
        return next((reason for reason in found if reason is not None), None)

    def as_dict(self) -> dict[str, Any]:
        return {
            "compute_capabilities": [str(capability) for capability in self.compute_capabilities],
            "precisions": list(self.precisions),
            "calibrators": [calibrator.value for calibrator in self.calibrators],
            "lacking": dict(self.lacking),
            "exceptions": {word: dict(reasons) for word, reasons in self.exceptions.items()},
            "without_products": {word: dict(reasons) for word, reasons in self.without_products.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """An interpreter with at most one TensorRT in it."""

    name: str
    kind: ToolchainKind
    #: Never resolved: a virtual environment is known by the path of its interpreter, which is a link.
    python: Path
    #: Folders for LD_LIBRARY_PATH, and for the module search path.
    library_path: tuple[Path, ...] = ()
    python_path: tuple[Path, ...] = ()
    #: The folder that the farm installed it into; None for an interpreter that is somebody else's.
    environment: Path | None = None
    #: As its library reports it; empty while no probe has answered.
    version: str = ""
    capabilities: Capabilities = Capabilities()
    #: Model of GPU with its driver (`Gpu.model`) -> what a TensorRT was found to do on one; `capabilities` sums it up.
    trials: Mapping[str, Capabilities] = field(default_factory=dict)
    #: Why the last probe failed; None for a toolchain that works.
    broken: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind.value,
            "python": str(self.python),
            "library_path": [str(folder) for folder in self.library_path],
            "python_path": [str(folder) for folder in self.python_path],
            "environment": None if self.environment is None else str(self.environment),
            "version": self.version,
            **self.capabilities.as_dict(),
            "trials": {model: found.as_dict() for model, found in self.trials.items()},
            "broken": self.broken,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Toolchain:
        """Reads what `as_dict` made; raises KeyError, TypeError, ValueError or UsageError for anything else."""
        return cls(
            name=checked_name(data["name"]),
            kind=ToolchainKind(data["kind"]),
            python=Path(data["python"]),
            library_path=tuple(Path(folder) for folder in data["library_path"]),
            python_path=tuple(Path(folder) for folder in data["python_path"]),
            environment=None if data["environment"] is None else Path(data["environment"]),
            version=data["version"],
            capabilities=capabilities_of(data),
            trials={model: capabilities_of(found) for model, found in data.get("trials", {}).items()},
            broken=data["broken"],
        )


def capabilities_of(data: Mapping[str, Any]) -> Capabilities:
    """The capabilities in a registry file or in a probe's answer; what is not named is not there."""
    return Capabilities(
        compute_capabilities=tuple(ComputeCapability.parse(text) for text in data.get("compute_capabilities", ())),
        precisions=tuple(data.get("precisions", ())),
        calibrators=tuple(Calibrator(word) for word in data.get("calibrators", ())),
        lacking=dict(data.get("lacking", {})),
        exceptions={word: dict(reasons) for word, reasons in data.get("exceptions", {}).items()},
        without_products={word: dict(reasons) for word, reasons in data.get("without_products", {}).items()},
    )


def checked_name(name: str) -> str:
    """`name` if it can be a toolchain's, which is also a file's; raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a toolchain",
            remedy="use up to 64 lower-case letters, digits, dots, dashes and underscores",
        )
    return name
