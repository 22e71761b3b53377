"""The farm of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING

from trtfarm.settings import Settings
from trtfarm_cli.farms.any_farm import Facts, FarmKey

if TYPE_CHECKING:
    from trtfarm.farm import Farm
    from trtfarm_cli.farms.here.administration import AdministrationHere
    from trtfarm_cli.farms.here.bundles import BundlesHere
    from trtfarm_cli.farms.here.engines import EnginesHere
    from trtfarm_cli.farms.here.jobs import JobsHere
    from trtfarm_cli.farms.here.submissions import SubmissionsHere
    from trtfarm_cli.farms.here.tables import TablesHere


class FarmHere:
    """Fulfils `AnyFarm`. The farm is opened when it is first needed."""

    def __init__(self, settings: Settings, opened: Callable[[], Farm]) -> None:
        self._settings = settings
        self._opened = opened

    @cached_property
    def _farm(self) -> Farm:
        return self._opened()

    @property
    def kept_in(self) -> str:
        return str(self._settings.home)

    @property
    def engines(self) -> EnginesHere:
        from trtfarm_cli.farms.here.engines import EnginesHere

        return EnginesHere(self._farm)

    @property
    def tables(self) -> TablesHere:
        from trtfarm_cli.farms.here.tables import TablesHere

        return TablesHere(self._farm)

    @property
    def jobs(self) -> JobsHere:
        from trtfarm_cli.farms.here.jobs import JobsHere

        return JobsHere(self._farm)

    @property
    def submissions(self) -> SubmissionsHere:
        from trtfarm_cli.farms.here.submissions import SubmissionsHere

        return SubmissionsHere(self._settings, lambda: self._farm)

    @property
    def administration(self) -> AdministrationHere:
        from trtfarm_cli.farms.here.administration import AdministrationHere

        return AdministrationHere(self._farm)

    @property
    def bundles(self) -> BundlesHere:
        from trtfarm_cli.farms.here.bundles import BundlesHere

        return BundlesHere(self._farm)

    def signing_keys(self) -> Sequence[FarmKey]:
        from trtfarm.signing.keyring import Keyring

        keyring = Keyring.of(self._settings)
        keyring.signer()
        return [FarmKey(key=key.id, own=key.own, public=key.public.pem().decode()) for key in keyring.trusted()]

    def projects(self) -> list[Facts]:
        from trtfarm.projects import list_projects

        return [asdict(project) for project in list_projects(self._farm.database)]

    def workers(self, *, left: bool = False) -> list[Facts]:
        from trtfarm.workers import list_workers, running_jobs
        from trtfarm_worker.presence import forget_dead

        forget_dead(self._farm)
        workers, running = list_workers(self._farm.database, left=left), running_jobs(self._farm.database)
        return [worker.as_dict(running) for worker in workers]

    def worker(self, text: str) -> Facts:
        from trtfarm.workers import running_jobs, worker_named
        from trtfarm_cli.farms.jobs import with_jobs
        from trtfarm_worker.presence import forget_dead

        forget_dead(self._farm)
        found = worker_named(self._farm.database, text)
        return with_jobs(found.as_dict(running_jobs(self._farm.database)), self.jobs)
