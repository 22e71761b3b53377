"""The processes of a farm on one machine, as a team would run them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from tests.acceptance.conftest import cached_toolchain
from tests.chaos import witness
from tests.chaos.brokers import BROKERS, installed
from tests.chaos.disk import SmallDisk
from tests.chaos.material import LIGHT_TENSORRT, TENSORRT
from tests.chaos.orders import LABELS
from tests.chaos.postgresql import PostgresqlServer
from tests.chaos.processes import Kept
from tests.conftest import REPOSITORY
from tests.integration.servers.process import free_port
from trtfarm.farm import Farm
from trtfarm.jobs.sharing import Share
from trtfarm.projects import set_share
from trtfarm.settings import Settings
from trtfarm.signing.keyring import Keyring
from trtfarm.tokens import Scope, create_token
from trtfarm_worker.toolchains.registry import ToolchainRegistry

#: Short, so that what dies without a trace is found out while the campaign lasts.
LEASE_SECONDS = 5
#: A job is killed more often here than any job that is not to blame for it.
_MAX_ATTEMPTS = 30
_END_SECONDS = 20.0
#: Of the modules of this folder, and before all others of those that whoever began the campaign has there.
_PATHS = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(REPOSITORY)]))
#: The projects of the clients, in turn, and how they share in the workers.
PROJECTS = {
    "heavy": Share(weight=3),
    "single": Share(max_running=1),
    "double": Share(max_running=2),
    "plain": Share(),
}
#: What a worker says that comes back after its job was given to another.
_FENCED = re.compile("nothing of (?:this attempt|these attempts) is kept")


class Stack:
    """Database, broker, reconciler, API, a process that cleans up, and workers.

    Every second worker has a home of its own, as on another host: only its lease tells that it has died. The last one
    has all labels, the one before it all but one, and so on.
    """

    def __init__(self, folder: Path, *, broker: str, workers: int, disk_bytes: int, engine_bytes: int) -> None:
        self.folder = folder
        self.disk = SmallDisk(folder / "disk", disk_bytes)
        self.database = PostgresqlServer(folder)
        self.broker = BROKERS[broker](folder) if installed(broker) else None
        home, port = folder / "home", free_port()
        self.url = f"http://127.0.0.1:{port}"
        # Not `self._environment` with a home in it: homes differ.
        self.environment = {
            "TRTFARM_DATABASE_URL": self.database.url,
            "TRTFARM_BLOB_URL": (self.disk.folder / "blobs").as_uri(),
            "TRTFARM_SIGNING_KEY": str(home / "keys" / "signing.pem"),
            "TRTFARM_LEASE_SECONDS": str(LEASE_SECONDS),
            "TRTFARM_MAX_ATTEMPTS": str(_MAX_ATTEMPTS),
            "TRTFARM_SLOTS": "1",
            "TRTFARM_MANAGER": str(os.getpid()),
            **({"TRTFARM_BROKER_URL": self.broker.url} if self.broker else {}),
        }
        self.settings = self._settings(home)
        self.reconciler = self._program("reconciler", home, "reconciler")
        self.api = self._program("api", home, "api", "--port", str(port))
        self.cleaner = self._kept("cleaner", home, "-m", "tests.chaos.cleaner", str(engine_bytes))
        homes = [home if number % 2 == 0 else folder / f"home-{number}" for number in range(workers)]
        self.workers = [self._worker(number, workers, home) for number, home in enumerate(homes)]
        self._homes = {home, *homes}
        self._tokens: dict[str, str] = {}

    def start(self) -> None:
        """Returns when the database is there and the others are on their way."""
        self.database.start()
        if self.broker:
            self.broker.kept.start()
        Keyring(self.settings.home).signer()  # made before the others want it: they share it
        toolchain = cached_toolchain(f"tensorrt-rtx=={TENSORRT}")
        for home in self._homes:
            # Without its environment: it is not this farm's to delete.
            registry = ToolchainRegistry(home)
            registry.put(replace(toolchain, environment=None))
            registry.put(replace(toolchain, environment=None, name="light", version=LIGHT_TENSORRT))
        with Farm.open(self.settings) as farm:
            witness.call(self.database.url)
            for project, share in PROJECTS.items():
                set_share(farm.database, project, share)
                secret, _ = create_token(farm.database, name=project, scopes=[Scope.SUBMIT], project=project)
                self._tokens[project] = secret
        for kept in self._programs():
            kept.start()

    def client(self, number: int, *words: str) -> Kept:
        """A client, with the programs that it runs; it is not started again when it has ended by itself."""
        project, token = list(self._tokens.items())[number % len(self._tokens)]
        words = ("-m", "tests.chaos.client", *words, self.url, token, project)
        return self._kept(f"client-{number}", self.settings.home, *words, whole=True)

    def kept(self) -> Iterator[Kept]:
        """What is started again when it has died."""
        yield self.database.kept
        if self.broker:
            yield self.broker.kept
        yield from self._programs()

    def builders(self) -> list[psutil.Process]:
        """Living builders, of all workers."""
        return [builder for worker in self.workers for builder in worker.children()]

    def refused(self) -> int:
        """How many attempts came to nothing because their jobs had been given to others meanwhile."""
        return sum(len(_FENCED.findall(worker.log.read_text())) for worker in self.workers)

    def end(self) -> list[str]:
        """Ends all, the servers last; returns the names of those programs that had to be killed."""
        for kept in self.kept():
            kept.go_on()
        for kept in self._programs():
            kept.ask_to_end()
        killed = [kept.name for kept in self._programs() if not kept.end(_END_SECONDS)]
        self.database.kept.kill()
        if self.broker:
            self.broker.end()
        return killed

    def _programs(self) -> list[Kept]:
        return [self.reconciler, self.api, self.cleaner, *self.workers]

    def _worker(self, number: int, of: int, home: Path) -> Kept:
        labels = LABELS[: max(0, number + 1 + len(LABELS) - of)]
        return self._kept(f"worker-{number}", home, "-m", "tests.chaos.worker", labels=labels)

    def _program(self, name: str, home: Path, *words: str) -> Kept:
        return self._kept(name, home, "-m", "trtfarm_cli", *words)

    def _kept(self, name: str, home: Path, *arguments: str, whole: bool = False, labels: Sequence[str] = ()) -> Kept:
        home.mkdir(exist_ok=True)
        own = {"TRTFARM_HOME": str(home), "TRTFARM_WORKER_LABELS": ",".join(labels), "PYTHONPATH": _PATHS}
        environment = {**self.environment, **own}
        return Kept(name, [sys.executable, *arguments], self.folder, environment, whole=whole)

    def _settings(self, home: Path) -> Settings:
        return Settings.from_environment({**self.environment, "TRTFARM_HOME": str(home)})
