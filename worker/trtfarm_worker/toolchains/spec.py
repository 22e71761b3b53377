"""What `trtfarm toolchain install` is asked for, and the packages that make it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from trtfarm.errors import UsageError
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.toolchains.toolchain import ToolchainKind

_TEXT = re.compile(r"(?P<kind>[a-z-]+)(?:==(?P<version>[0-9.]+))?")
# The CUDA 12 build also runs under drivers that are too old for CUDA 13; their plans are alike.
_DISTRIBUTIONS = {ToolchainKind.TENSORRT_RTX: "tensorrt-rtx-cu12", ToolchainKind.TENSORRT: "tensorrt"}
#: The oldest release line that the farm takes; CPython 3.10 is the newest that it has wheels for.
_OLDEST = TensorRTVersion(8, 5)


@dataclass(frozen=True, kw_only=True)
class ToolchainSpec:
    """A kind of toolchain, and a version of it; None asks for the newest."""

    kind: ToolchainKind
    version: TensorRTVersion | None

    @classmethod
    def parse(cls, text: str) -> ToolchainSpec:
        """Reads `tensorrt-rtx`, `tensorrt-rtx==1.7.1.116`, `tensorrt==10.13`; raises UsageError."""
        match = _TEXT.fullmatch(text)
        if match is None or match["kind"] not in set(_DISTRIBUTIONS):
            raise UsageError(
                f"{text!r} is no toolchain that can be installed",
                remedy="write it as tensorrt-rtx or tensorrt, with a version if it matters: tensorrt-rtx==1.7.1.116",
            )
        version = TensorRTVersion.wanted(match["version"]) if match["version"] else None
        return cls(kind=ToolchainKind(match["kind"]), version=version)

    @property
    def exact_name(self) -> str | None:
        """The name of the toolchain that this comes to; None when only an index knows the full version."""
        return f"{self.kind}-{self.version}" if self.version and self.version.build is not None else None

    @property
    def distribution(self) -> str:
        return _DISTRIBUTIONS[self.kind]

    def requirements(self) -> list[str]:
        """Arguments for `pip install`. A version without a build number takes any build of it."""
        exact = self.version is None or self.version.build is not None
        wanted = f"{self.distribution}=={self.version}" if self.version else self.distribution
        extra = ["cuda-bindings"] if self.kind is ToolchainKind.TENSORRT else []
        if self._is_8_5:
            # Its wheel is linked to libcudnn.so.8 and takes any cuDNN.
            extra.append("nvidia-cudnn-cu11<9")
        return [wanted if exact else f"{wanted}.*", "numpy", *extra]

    def default_python(self) -> str:
        """The interpreter to build on, as uv understands it: the worker's own, where the release has wheels for it."""
        return "3.10" if self._is_8_5 else sys.executable

    @property
    def _is_8_5(self) -> bool:
        return self.kind is ToolchainKind.TENSORRT and self.version is not None and self.version.matches(_OLDEST)

    def __str__(self) -> str:
        return f"{self.kind}=={self.version}" if self.version else self.kind.value
