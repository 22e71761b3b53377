"""Tables and engines for another farm, and those of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtfarm_client import bundle_calls as calls
from trtfarm_client import flows
from trtfarm_client.downloads import ReceivingBundle, receiving
from trtfarm_client.flows import Report, Transferred, unreported
from trtfarm_client.operations import Tell, operating, untold
from trtfarm_client.transport import Transport

Facts = dict[str, Any]


class Bundles:
    """Every method raises the error that the farm raised."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def export_to(
        self,
        destination: Path,
        *,
        engines: Sequence[str] = (),
        tables: Sequence[str] = (),
        model: str | None = None,
        label: str | None = None,
        with_models: bool = False,
        report: Report = unreported,
    ) -> str:
        """Writes engines and tables by id, those that have a label, or all that a model has, signed by their farm.

        Returns the digest of the bundle's manifest. `destination` appears whole or not at all.
        """
        path = calls.export(engines, tables, model=model, label=label, with_models=with_models)

        def told(done: int, total: int) -> None:
            report(Transferred(path=destination, done=done, total=total))

        with receiving(destination, None, told, ReceivingBundle) as part:
            self._transport.run(flows.downloading(path, part, self._transport.patience()))
        return str(part.digest)

    def import_from(
        self,
        path: Path,
        *,
        labels: bool = False,
        dry_run: bool = False,
        report: Report = unreported,
        tell: Tell = untold,
    ) -> Facts:
        """Has a bundle taken in whose farm the server trusts; what came of it, as `Imported.as_dict` tells it.

        Uploads it unless the farm holds it; `report` hears of that, and `tell` of how many bytes were read there.
        """
        digests = self._transport.run(flows.uploading([path], self._transport.patience(), report))
        call = calls.import_(digests[path], labels=labels, dry_run=dry_run)
        return self._transport.run(operating(call, self._transport.patience(), tell))
