"""Tables and engines for another farm, and those of one, to be awaited."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtfarm_client import bundle_calls as calls
from trtfarm_client import flows
from trtfarm_client.async_transport import AsyncTransport
from trtfarm_client.downloads import ReceivingBundle, receiving
from trtfarm_client.flows import Report, Transferred, unreported
from trtfarm_client.operations import Tell, operating, untold

Facts = dict[str, Any]


class AsyncBundles:
    """What its methods do and raise is said at those of `Bundles`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def export_to(
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
        path = calls.export(engines, tables, model=model, label=label, with_models=with_models)

        def told(done: int, total: int) -> None:
            report(Transferred(path=destination, done=done, total=total))

        with receiving(destination, None, told, ReceivingBundle) as part:
            await self._transport.run(flows.downloading(path, part, self._transport.patience()))
        return str(part.digest)

    async def import_from(
        self,
        path: Path,
        *,
        labels: bool = False,
        dry_run: bool = False,
        report: Report = unreported,
        tell: Tell = untold,
    ) -> Facts:
        digests = await self._transport.run(flows.uploading([path], self._transport.patience(), report))
        call = calls.import_(digests[path], labels=labels, dry_run=dry_run)
        return await self._transport.run(operating(call, self._transport.patience(), tell))
