"""The program against a server: the real API and a real worker on one farm, commands with a home of their own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import trtfarm
from tests.acceptance.cli.conftest import Stocked, share
from tests.acceptance.cli.forks import Forks
from tests.acceptance.cli.program import Program
from tests.acceptance.cli.serving import api, free_port, service
from tests.conftest import REPOSITORY
from tests.unit.client.breaking import BreakingWay
from trtfarm.digests import digest_of_file
from trtfarm.farm import Farm
from trtfarm.jobs.job import Event
from trtfarm.settings import Settings
from trtfarm_cli.farms.any_farm import AnyFarm
from trtfarm_cli.farms.here.farm import FarmHere
from trtfarm_cli.farms.remote.farm import RemoteFarm
from trtfarm_client import Ask, AskedTarget, Client, Link
from trtfarm_worker.toolchains.toolchain import Toolchain

#: What differs between two farms, or two runs, whatever they did.
_OWN = re.compile(r"\b[a-z]{3}_[0-9a-z]{20}\b|\d+\.\d+ s\b|\d\d:\d\d:\d\d|\d+\.\d+$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A farm whose API and worker are up; `client` has nothing but the address of the API and a token."""

    host: Program
    client: Program
    port: int

    def client_at(self, url: str) -> Program:
        return replace(self.client, environment={**self.client.environment, "TRTFARM_URL": url})


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, migrated: Path, forks: Forks, rtx_toolchain: Toolchain) -> Program:
    """A farm that can build, on which services may stay up for long."""
    folder = tmp_path_factory.mktemp("host")
    program = Program(home=folder / "home", folder=folder, patience=300, forks=forks)
    program.home.mkdir()
    (program.home / "farm.db").write_bytes(migrated.read_bytes())
    share(program, rtx_toolchain)
    return program


@pytest.fixture(scope="module")
def served(host: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port, folder = free_port(), tmp_path_factory.mktemp("client")
    token = host.ok("tokens", "create", "laptop", "--scope", "submit", "--scope", "admin").out.strip()
    environment = {"TRTFARM_URL": f"http://127.0.0.1:{port}", "TRTFARM_TOKEN": token}
    client = replace(host, home=folder / "home", folder=folder, environment=environment)
    with api(host, port), service(host, "worker", up='event="worker is up"'):
        yield Served(host=host, client=client, port=port)
    assert host.processes() == []


@pytest.fixture
def client(served: Served) -> Program:
    return served.client


def test_a_submission_over_a_bad_connection_is_the_embedded_one(served: Served, stocked: Stocked, digits: Path) -> None:
    """Uploads break twice and go on; then keys, table and what is printed are those of a farm in one process."""
    arguments = ("submit", digits / "lenet.onnx")
    with BreakingWay(served.port) as way:
        way.cuts = [600_000, 700_000]
        facts = served.client_at(way.url).json(*arguments)
        assert way.broken >= 2
    again = served.client.ok(*arguments)
    listed, jobs = served.client.json("tables", "list"), served.client.json("jobs", "list")
    assert (facts["state"], facts["hit"], facts["kept_in"]) == ("done", False, way.url)
    assert facts.keys() == stocked.facts.keys()
    assert {job["key"] for job in jobs} == {job["key"] for job in stocked.program.json("jobs", "list")}
    assert {job["owner"][:4] for job in jobs} == {"wrk_"}
    assert [table["digest"] for table in listed] == [stocked.facts["table"]["digest"]]
    embedded = stocked.program.copied(served.client.folder / "embedded").ok(*arguments)
    ours, theirs = (_OWN.sub("…", ended.out).splitlines()[:-1] for ended in (again, embedded))
    assert ours == theirs
    assert again.err == embedded.err
    assert served.client.scratch() == []


def test_what_the_farm_has_is_told_as_the_embedded_one_tells_it(
    client: Program, served: Served, digits: Path, tmp_path: Path
) -> None:
    client.ok("submit", digits / "lenet.onnx")
    settings = Settings.from_environment({"TRTFARM_HOME": str(served.host.home)})
    link = Link(url=client.environment["TRTFARM_URL"], token=client.environment["TRTFARM_TOKEN"])
    with Farm.open(settings) as farm, Client(link) as http:
        own = FarmHere(settings, lambda: farm)
        here, there = (list(_told(one)) for one in (own, RemoteFarm(http, settings)))
        [here_table, *_] = own.tables.find({}, limit=1)
    assert here == there
    assert len(here) > 20
    for command in (
        ("engines", "list", "--target", "86"),
        ("engines", "list", "--newer-than", "1h", "--max-drop", "5%", "--min-top1", "90%"),
        ("tables", "list", "--min-cosine", "0.5", "--digest", here_table.digest[:20]),
        ("submissions", "list", "--model", "lenet", "--state", "done", "--min-cosine", "0.5"),
        ("submissions", "list", "--project", "default", "--json"),
        ("explain", digits / "lenet.onnx", "--batch-size", "10"),
    ):
        ours, theirs = client.ok(*command), served.host.ok(*command)
        assert (ours.out, ours.err) == (theirs.out, theirs.err)
        assert len(ours.out.splitlines()) > 1
    assert client.json("engines", "list", "--older-than", "1h") == []
    assert client.json("engines", "list", "--min-top1", "100%") == []
    [worker] = client.json("workers", "list")
    assert worker["state"] == "ready"
    table, exported = client.json("tables", "list")[0]["id"], tmp_path / "table.cache"
    client.ok("tables", "export", table, "-o", exported)
    assert client.json("tables", "import", exported, "--model", digits / "lenet.onnx")["id"] == table


def _told(farm: AnyFarm) -> Iterator[Any]:
    """All that a farm tells of what it has, as it is printed with `--json`."""
    for job in farm.jobs.find(state="done", kind=None, limit=4):
        events: list[Event] = []
        yield from (job, farm.jobs.details(job["id"]), json.loads(json.dumps(farm.jobs.explain(job["id"]))))
        yield from (farm.jobs.history(job["id"], events.extend, follow=follow) for follow in (False, True))
        yield events
    for engine in farm.engines.find({"target": "8.6", "precision": "int8"}, limit=10):
        yield from (engine, farm.engines.details(engine.id[:-1]))
    for table in farm.tables.find({"model": "lenet"}, limit=10):
        yield from (table, farm.tables.details(table.id), farm.tables.text(table.digest))


def test_an_engine_is_pulled_once_its_farm_is_trusted(client: Program, served: Served, digits: Path) -> None:
    facts = client.json("submit", digits / "lenet.onnx")
    engine, path = facts["engines"][0], client.folder / "pulled.engine"
    error = client.fails(11, "engines", "pull", engine["id"], "-o", path)
    assert "trtfarm keys trust" in error["remedy"]
    assert list(client.folder.glob("*pulled*")) == []
    # The key comes over the connection that the token opens.
    exported = client.json("keys", "export", "-o", client.folder / "farm.pem")
    assert exported == served.host.json("keys", "export") | {"path": str(client.folder / "farm.pem")}
    client.ok("keys", "trust", client.folder / "farm.pem")
    pulled = client.json("engines", "pull", engine["id"], "-o", path)
    assert (pulled["digest"], pulled["verified"]) == (engine["digest"], True)
    client.ok("engines", "check", path)
    # It came here and was found sound; what is missing is a TensorRT that runs it.
    assert client.fails(6, "bench", engine["id"])["code"] == "no_toolchain"
    other = client.json("submit", digits / "lenet.onnx", "--target", "sm_80")["engines"][0]["id"]
    assert client.json("engines", "rm", other)["removed"] == [other]
    assert client.fails(8, "engines", "show", other)["code"] == "not_found"


def test_the_page_on_the_api_shows_what_works(client: Program, digits: Path, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "api.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    example = example.replace("https://farm.example", client.environment["TRTFARM_URL"])
    shutil.copy(digits / "lenet.onnx", tmp_path)
    code = f"token = {client.environment['TRTFARM_TOKEN']!r}\n{example}"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split()[-1] == "end"
    [engine] = client.json("engines", "list", "--precision", "fp16")
    assert digest_of_file(tmp_path / "sm_86.engine") == engine["digest"]


def test_who_asks_is_kept_in_a_profile(client: Program, served: Served, tmp_path: Path) -> None:
    token, url = client.environment["TRTFARM_TOKEN"], client.environment["TRTFARM_URL"]
    other = replace(client, home=tmp_path / "home", folder=tmp_path, environment={})
    other.ok("profile", "add", "team", url)
    error = other.fails(13, "engines", "list")
    assert token not in str(error)
    secret = tmp_path / "token"
    secret.write_text("wrong\n")
    assert other.run("login", stdin=secret).code == 13
    secret.write_text(f"{token}\n")
    ended = other.run("login", stdin=secret)
    assert (ended.code, "laptop" in ended.out, token in ended.out + ended.err) == (0, True, False)
    checks = {check["name"]: check for check in other.json("doctor")}
    assert "laptop may read, submit, worker, admin" in checks["server"]["detail"]
    assert "database" not in checks
    assert other.json("whoami")["scopes"] == ["read", "submit", "worker", "admin"]
    assert (other.home / "profiles.json").stat().st_mode & 0o777 == 0o600
    assert other.json("engines", "list") == client.json("engines", "list")
    other.ok("profile", "use", "embedded")
    assert other.json("engines", "list") == []
    assert [(each["name"], each["used"]) for each in other.json("profile", "list")] == [
        ("embedded", True),
        ("team", False),
    ]
    other.ok("profile", "remove", "team")
    assert token not in (other.home / "profiles.json").read_text()


def test_a_farm_is_run_over_http_as_it_is_run_on_its_host(client: Program, served: Served, digits: Path) -> None:
    """The same commands tell the same, and what they did is seen on the host."""
    client.ok("submit", digits / "lenet.onnx")
    assert _OWN.sub("…", client.ok("fsck").out) == _OWN.sub("…", served.host.ok("fsck").out)
    planned = client.json("clean", "--keep", "0B", "--tables-unused-for", "0s", "--data-unused-for", "0s", "--dry-run")
    assert planned["engines"]
    assert planned == served.host.json(
        "clean", "--keep", "0B", "--tables-unused-for", "0s", "--data-unused-for", "0s", "--dry-run"
    )
    assert client.json("clean", "--unused-for", "1d")["engines"] == []
    made = client.json("tokens", "create", "reader", "--scope", "read", "--days", "1")
    reader = replace(client, environment={**client.environment, "TRTFARM_TOKEN": made["token"]})
    assert reader.json("whoami")["expires"] == made["expires"]
    for command in (("clean",), ("fsck",), ("tokens", "list"), ("engines", "sign", "eng_1"), ("workers", "pause", "w")):
        assert reader.fails(13, *command)["code"] == "forbidden"
    ended = client.json("tokens", "revoke", made["id"])
    assert ended in client.json("tokens", "list") == served.host.json("tokens", "list")
    assert reader.fails(13, "engines", "list")["code"] == "unauthenticated"
    [worker] = client.json("workers", "list")
    for wish, state in (("pause", "paused"), ("resume", "ready")):
        assert client.json("workers", wish, worker["id"])["state"] == state
        shown = client.json("workers", "show", worker["id"])
        assert (shown["state"], shown["running"], shown["version"]) == (state, [], trtfarm.__version__)
        assert f"state       {state}" in client.ok("workers", "show", worker["id"]).out
        assert [one["state"] for one in served.host.json("workers", "list")] == [state]
    signed = client.json("engines", "list", "--limit", "1")[0]["id"]
    assert client.fails(2, "engines", "sign", signed)["message"] == f"signed already: {signed}"


def test_a_server_that_goes_away_is_waited_for(served: Served, digits: Path) -> None:
    """Ctrl-C leaves the work to the farm; a server killed while it is watched comes back, and the watching goes on."""
    arguments = ("submit", digits / "lenet.onnx", "--calibrator", "entropy2", "--target", "sm_89", "--json")
    port = free_port()
    client = served.client_at(f"http://127.0.0.1:{port}")
    with api(served.host, port) as server:
        with client.started(*arguments) as running:
            running.until("calibrate: ")
            assert running.end(signal.SIGINT).code == 130
        with client.started(*arguments) as running:
            running.until("calibration data")
            server.end(signal.SIGKILL)
            with api(served.host, port):
                ended = running.end()
    assert ended.code == 0, ended.err
    assert ended.json["state"] == "done"


def test_a_submission_waits_for_a_worker_that_is_away(served: Served, digits: Path, rtx_toolchain: Toolchain) -> None:
    """The only one that could build has just ended, as in a restart: it is asked for all the same, and done later."""
    folder = served.client.folder / "restart"
    host = replace(served.host, home=folder / "home", folder=folder)
    host.home.mkdir(parents=True)
    share(host, rtx_toolchain)
    port = free_port()
    client = replace(served.client, environment={"TRTFARM_URL": f"http://127.0.0.1:{port}"})
    arguments = ("submit", digits / "lenet.onnx", "--precision", "fp32", "--target", "sm_86", "--no-timing-cache")
    with api(host, port):
        assert client.fails(6, *arguments)["code"] == "no_toolchain"
        with service(host, "worker", up='event="worker is up"'):
            [worker] = client.json("workers", "list")
        assert client.json("workers", "list") == []
        [build] = [step for step in client.json(*arguments, "--dry-run") if step["step"].startswith("build")]
        assert f"{worker['id']} of {worker['host']} did, and is gone since" in build["waits"]
        told = client.ok(*arguments, "--detach", "--json")
        assert "waits for a worker" in told.err
        with Client(Link(url=client.environment["TRTFARM_URL"])) as sdk:
            target = AskedTarget(compute_capability="sm_86")
            planned = sdk.dry_run(Ask(model=told.json["model"]["id"], precision="fp32", targets=[target]))
        assert [step["waits"] for step in planned] == [build["waits"]]
        [job] = client.json("jobs", "list")
        assert job["state"] == "queued"
        waits = client.json("jobs", "show", job["id"])["waits"]
        assert waits == client.json("explain", job["id"])["waits"] == build["waits"]
        with service(host, "worker", up='event="worker is up"'):
            assert client.json(*arguments)["state"] == "done"


def test_a_server_that_is_not_there_is_told_soon(served: Served, digits: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    error = served.client_at(url).fails(12, "submit", digits / "lenet.onnx")
    assert (error["code"], error["retryable"]) == ("unreachable", True)
    assert url in error["message"]
