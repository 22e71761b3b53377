"""Bundles of the farm that is open in this process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trtfarm.farm import Farm
from trtfarm_cli.farms.bundles import Facts
from trtfarm_cli.files import write_pieces

if TYPE_CHECKING:
    from trtfarm.bundles.selection import Selection
    from trtfarm_cli.progress import View


class BundlesHere:
    """Fulfils `Bundles`."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def export(self, selection: Selection, destination: Path, shown: View) -> None:
        from trtfarm.bundles.exporting import export_of

        found = export_of(self._farm, selection)

        def pieces() -> Iterator[bytes]:
            done = 0
            for piece in found.chunks(self._farm.blobs):
                yield piece
                done += len(piece)
                shown.progress(destination.name, "written", done, found.size, "bytes")

        write_pieces(destination, pieces())

    def import_(self, path: Path, *, labels: bool, dry_run: bool, shown: View) -> Facts:
        from trtfarm.bundles.importing import import_bundle

        tell = partial(_told, shown, path.name)
        return import_bundle(self._farm, path, name=str(path), dry_run=dry_run, labels=labels, tell=tell).as_dict()


def _told(shown: View, name: str, done: int, total: int) -> None:
    shown.progress(name, "read", done, total, "bytes")
