"""Engines of a farm, wherever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from trtfarm_cli.farms.within import EVERYTHING, Within

if TYPE_CHECKING:
    from trtfarm.catalog.entries import EngineEntry
    from trtfarm_cli.progress import View

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """An engine that was written to `path`; `signature` is the file beside it, None for an unsigned one."""

    engine: str
    digest: str
    size: int
    path: Path
    signature: Path | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How an engine is to be held to FP32: on which data and labels, in which optimization profile.

    Without data, on those that its model was verified with last; without a profile's number, in the first that takes
    them. What was measured before will do unless it is to be `fresh`.
    """

    data: Sequence[str]
    labels: str | None
    profile: int | None
    fresh: bool


class Engines(Protocol):
    """Filters are `tensorrt`, `target`, `precision`, `calibrator`, `model`, `digest`, `label` and `gpu`.

    They are None for what is not asked.
    """

    def find(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[EngineEntry]: ...

    def details(self, text: str) -> Facts: ...

    def pull(self, text: str, destination: Path | None, *, verify: bool) -> Pulled:
        """Writes an engine and its signature; under a name of its own where the destination is a folder, or none.

        Raises SignatureError where `verify` is wanted and no trusted key signed it.
        """

    def verify(self, text: str, comparison: Comparison, *, shown: View) -> Facts:
        """`engine`, `precision`, `compute_capability`, `verification`, `dataset` and `metrics`.

        Measured here, or by a worker of a farm elsewhere.
        """

    def remove(self, texts: Sequence[str]) -> Sequence[str]:
        """Their ids; all that are named go, or none."""

    def pin(self, text: str, *, pinned: bool) -> None:
        """Keeps an engine from every clean-up, or lets it go."""

    def label(self, text: str, label: str, *, given: bool) -> None:
        """Gives an engine a label, or takes it away."""
