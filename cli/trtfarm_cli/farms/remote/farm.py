"""A farm behind HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from trtfarm.settings import Settings
from trtfarm_cli.farms.any_farm import Facts, FarmKey
from trtfarm_client import Client

if TYPE_CHECKING:
    from trtfarm_cli.farms.remote.administration import RemoteAdministration
    from trtfarm_cli.farms.remote.bundles import RemoteBundles
    from trtfarm_cli.farms.remote.engines import RemoteEngines
    from trtfarm_cli.farms.remote.jobs import RemoteJobs
    from trtfarm_cli.farms.remote.submissions import RemoteSubmissions
    from trtfarm_cli.farms.remote.tables import RemoteTables


class RemoteFarm:
    """Fulfils `AnyFarm`; `settings` are those of this host, where models and data are read."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    @property
    def kept_in(self) -> str:
        return self._client.link.url

    @property
    def engines(self) -> RemoteEngines:
        from trtfarm_cli.farms.remote.engines import RemoteEngines

        return RemoteEngines(self._client, self._settings)

    @property
    def tables(self) -> RemoteTables:
        from trtfarm_cli.farms.remote.tables import RemoteTables

        return RemoteTables(self._client, self._settings)

    @property
    def jobs(self) -> RemoteJobs:
        from trtfarm_cli.farms.remote.jobs import RemoteJobs

        return RemoteJobs(self._client)

    @property
    def submissions(self) -> RemoteSubmissions:
        from trtfarm_cli.farms.remote.submissions import RemoteSubmissions

        return RemoteSubmissions(self._client, self._settings)

    @property
    def administration(self) -> RemoteAdministration:
        from trtfarm_cli.farms.remote.administration import RemoteAdministration

        return RemoteAdministration(self._client)

    @property
    def bundles(self) -> RemoteBundles:
        from trtfarm_cli.farms.remote.bundles import RemoteBundles

        return RemoteBundles(self._client)

    def signing_keys(self) -> Sequence[FarmKey]:
        return [FarmKey(**vars(key)) for key in self._client.signing_keys()]

    def projects(self) -> list[Facts]:
        return [asdict(project) for project in self._client.projects()]

    def workers(self, *, left: bool = False) -> list[Facts]:
        return self._client.workers(left=left)

    def worker(self, text: str) -> Facts:
        from trtfarm_cli.farms.jobs import with_jobs

        return with_jobs(self._client.worker(text), self.jobs)
