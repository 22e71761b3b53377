"""Tables and engines for another farm, and those of one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from trtfarm.scratch import temporary_folder
from trtfarm_client import bundle_calls as calls
from trtfarm_client import flows
from trtfarm_client.call import Call, Work
from trtfarm_client.downloads import ReceivingBundle
from trtfarm_client.flows import Flow, Report, unreported
from trtfarm_client.method import Awaiting, Flows, Waiting, method
from trtfarm_client.operations import Tell, operating, untold

Facts = dict[str, Any]


class _Bundles(Flows):
    """Methods of both kinds."""

    @method
    def export_to(
        self,
        destination: Path,
        *,
        engines: Sequence[str] = (),
        tables: Sequence[str] = (),
        model: str | None = None,
        label: str | None = None,
        with_models: bool = False,
        with_recordings: bool = False,
        report: Report = unreported,
    ) -> Flow[str]:
        """Writes engines and tables by id, those that have a label, or all that a model has, signed by their farm.

        Returns the digest of the bundle's manifest. `destination` appears whole or not at all.
        """
        along = {"with_models": with_models, "with_recordings": with_recordings}
        path = calls.export(engines, tables, model=model, label=label, **along)
        return flows.downloading(path, destination, self._patience(), report, kind=ReceivingBundle)

    @method
    def import_from(
        self,
        path: Path,
        *,
        labels: bool = False,
        dry_run: bool = False,
        report: Report = unreported,
        tell: Tell = untold,
    ) -> Flow[Facts]:
        """Has a bundle taken in whose farm the server trusts; what came of it, as `Imported.as_dict` tells it.

        Uploads it unless the farm holds it; `report` hears of that, and `tell` of how many bytes were read there. For a
        dry run it is read here, and only its beginning, with what it holds and who signed that, is uploaded.
        """
        if dry_run:
            call = yield from self._uploaded_head(path, report, tell)
        else:
            digests = yield from flows.uploading([path], self._patience(), report)
            call = calls.import_(digests[path], labels=labels)
        return (yield from operating(call, self._patience(), tell))

    def _uploaded_head(self, path: Path, report: Report, tell: Tell) -> Flow[Call[Facts]]:
        from trtfarm.bundles.head import head_of  # noqa: PLC0415 - other methods do without

        head = yield Work(function=partial(head_of, path, "the bundle", tell))
        with temporary_folder() as folder:
            part = folder / path.name
            part.write_bytes(head)
            digests = yield from flows.uploading([part], self._patience(), report)
        return calls.judge_head(digests[part])


class Bundles(Waiting, _Bundles):
    """Every method raises the error that the farm raised."""


class AsyncBundles(Awaiting, _Bundles):
    """The same with methods to be awaited."""
