"""Engines of a farm behind HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from trtfarm.errors import NotFoundError, SignatureError
from trtfarm.settings import Settings
from trtfarm_cli.farms.any_farm import Facts
from trtfarm_cli.farms.engines import Comparison, Pulled
from trtfarm_cli.farms.within import EVERYTHING, Within
from trtfarm_cli.files import engine_file_name, placed, writable
from trtfarm_cli.progress import View, view
from trtfarm_client import Client, Transferred

if TYPE_CHECKING:
    from trtfarm.catalog.entries import EngineEntry


class RemoteEngines:
    """Fulfils `Engines`; `settings` are those of this host, whose keys are trusted."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def find(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[EngineEntry]:
        words: dict[str, Any] = {**filters, **vars(within)}
        return self._client.engines(**words, limit=limit)

    def details(self, text: str) -> Facts:
        return self._client.engine(text)

    def pull(self, text: str, destination: Path | None, *, verify: bool) -> Pulled:
        details = self._client.engine(text)
        engine = str(details["id"])
        name = engine_file_name(details["model"], details["precision"], details["compute_capability"])
        path = writable(placed(destination, name))
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder, view() as shown:

            def report(received: Transferred) -> None:
                shown.progress(path.name, "received", received.done, received.total, "bytes")

            copy = Path(folder) / path.name
            digest = self._client.download_engine(engine, copy, report=report)
            signature = self._signature(engine, copy)
            if verify:
                self._check(engine, copy, signature)
            size = copy.stat().st_size
            kept = path.with_name(signature.name) if signature else None
            if signature and kept:
                signature.replace(kept)
            copy.replace(path)
        return Pulled(engine=engine, digest=digest, size=size, path=path, signature=kept)

    def verify(self, text: str, comparison: Comparison, *, shown: View) -> Facts:
        from trtfarm_cli.farms.remote.verification import verified_there

        return verified_there(self._client, self._settings, text, comparison, shown=shown)

    def remove(self, texts: Sequence[str]) -> Sequence[str]:
        return self._client.remove_engines(texts)

    def pin(self, text: str, *, pinned: bool) -> None:
        self._client.pin_engine(text, pinned=pinned)

    def label(self, text: str, label: str, *, given: bool) -> None:
        (self._client.label_engine if given else self._client.unlabel_engine)(text, label)

    def _signature(self, engine: str, copy: Path) -> Path | None:
        from trtfarm.signing.signed_file import signature_path

        path = signature_path(copy)
        try:
            path.write_bytes(self._client.engine_signature(engine))
        except NotFoundError:
            return None
        return path

    def _check(self, engine: str, copy: Path, signature: Path | None) -> None:
        from trtfarm.signing.keyring import Keyring
        from trtfarm.signing.signed_file import check_file

        if signature is None:
            raise SignatureError(
                f"{engine} is not signed", remedy="on its farm's host: trtfarm engines sign; or build it again"
            )
        try:
            check_file(Keyring.of(self._settings), copy)
        except SignatureError as error:
            raise SignatureError(
                error.message.replace(str(copy), engine), cause=error.cause, remedy=error.remedy
            ) from error
