"""Who builds for a target where a client does not say: chosen by whoever knows what workers have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import ToolchainError
from trtfarm.targets import BuildTarget
from trtfarm.versions import TensorRTVersion


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A target whose toolchain is still to be chosen; `tensorrt` may be short, or None for the newest."""

    compute_capability: ComputeCapability
    tensorrt: TensorRTVersion | None
    precision: str


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Who builds, and whether what stays beside INT8 is float16 there."""

    target: BuildTarget
    rest_in_float16: bool = False


#: Chooses among what living workers have; raises ToolchainError where none can.
Choose = Callable[[Wanted], Chosen]


def nothing_chosen(wanted: Wanted) -> Chosen:
    """Where nobody can choose, clients have to say it themselves."""
    raise ToolchainError(
        f"no toolchain is named for {wanted.compute_capability}", remedy="name toolchain and tensorrt of each target"
    )
