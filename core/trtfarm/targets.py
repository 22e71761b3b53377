"""What an engine is built for."""

from __future__ import annotations

from dataclasses import dataclass

from trtfarm.versions import TensorRTVersion

#: The kind of toolchain that builds and measures on the GPU it builds for.
TENSORRT = "tensorrt"
#: From this release on TensorRT runs a network in the types that the ONNX says, and has no calibrators.
_STRONGLY_TYPED_FROM = 11


@dataclass(frozen=True, kw_only=True)
class BuildTarget:
    """One engine wanted: for a compute capability (`sm_89`), by a kind of toolchain of one exact version."""

    compute_capability: str
    toolchain: str
    tensorrt: str

    @property
    def on_gpu(self) -> bool:
        """Whether building takes the GPU, on which the engine can then be measured; else it is built ahead of time."""
        return self.toolchain == TENSORRT

    @property
    def strongly_typed(self) -> bool:
        """Whether the types in the ONNX decide what it computes in; else flags lower them and a table gives ranges."""
        return not self.on_gpu or TensorRTVersion.parse(self.tensorrt).major >= _STRONGLY_TYPED_FROM

    def __str__(self) -> str:
        return f"{self.compute_capability} {self.toolchain}-{self.tensorrt}"
