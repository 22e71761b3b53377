"""Bundles of a farm behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trtfarm.errors import InputError, SignatureError
from trtfarm_cli.farms.bundles import Facts
from trtfarm_client import Client, Transferred

if TYPE_CHECKING:
    from trtfarm.bundles.selection import Selection
    from trtfarm_cli.progress import View


class RemoteBundles:
    """Fulfils `Bundles`; whose bundles are taken, the farm's own keys decide."""

    def __init__(self, client: Client) -> None:
        self._bundles = client.bundles

    def export(self, selection: Selection, destination: Path, shown: View) -> None:
        def report(received: Transferred) -> None:
            shown.progress(destination.name, "received", received.done, received.total, "bytes")

        self._bundles.export_to(destination, **vars(selection), report=report)

    def import_(self, path: Path, *, labels: bool, dry_run: bool, shown: View) -> Facts:
        from trtfarm.bundles.files import pieces_of

        next(pieces_of(path), None)  # a file that cannot be read is told as it is for a farm here

        def report(sent: Transferred) -> None:
            shown.progress(path.name, "sent", sent.done, sent.total, "bytes")

        def tell(done: int, total: int) -> None:
            shown.progress(path.name, "read", done, total, "bytes")

        try:
            return self._bundles.import_from(path, labels=labels, dry_run=dry_run, report=report, tell=tell)
        except (InputError, SignatureError) as error:
            # The server knows the bundle by its digest alone.
            error.message = error.message.replace("the bundle", str(path))
            raise
