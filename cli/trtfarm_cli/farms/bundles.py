"""Bundles of a farm, wherever it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trtfarm.bundles.selection import Selection
    from trtfarm_cli.progress import View

Facts = dict[str, Any]


class Bundles(Protocol):
    """How far it is, is shown in a view."""

    def export(self, selection: Selection, destination: Path, shown: View) -> None:
        """Writes what is selected, signed by the farm. Raises NotFoundError, UsageError, SignatureError."""

    def import_(self, path: Path, *, labels: bool, dry_run: bool, shown: View) -> Facts:
        """What came, or would come, as `Imported.as_dict` tells it. Raises SignatureError, BundleError."""
