"""Tables and engines from one farm to another: real ones of LeNet, which TensorRT-RTX built."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import Stocked
from tests.acceptance.cli.gpu_farm import GpuFarm
from tests.acceptance.cli.program import Program
from tests.acceptance.cli.serving import api, free_port
from trtfarm.digests import digest_of_file

#: Reads a bundle as the command does, and is killed after so many bytes.
_KILLED = """
import os, signal, sys
from pathlib import Path
from trtfarm.bundles.importing import import_bundle
from trtfarm.farm import Farm
from trtfarm.settings import Settings

def tell(done, total):
    if done > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

with Farm.open(Settings.from_environment()) as farm:
    import_bundle(farm, Path(sys.argv[1]), name="lenet.bundle", tell=tell)
"""


@pytest.fixture(scope="module")
def bundle(stocked: Stocked, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything of the stocked farm, which has to be trusted for it."""
    path = tmp_path_factory.mktemp("bundle") / "lenet.bundle"
    stocked.program.ok("bundle", "export", "--model", "lenet", "-o", path)
    stocked.program.ok("keys", "export", "-o", path.with_name("farm.pem"))
    return path


def test_what_one_farm_built_another_one_finds(stocked: Stocked, builder: Program, bundle: Path, digits: Path) -> None:
    engines = {engine["id"]: engine for engine in stocked.facts["engines"]}
    error = builder.fails(11, "bundle", "import", bundle)
    assert "trtfarm keys trust" in error["remedy"]
    assert builder.rows() == {}
    builder.ok("keys", "trust", bundle.with_name("farm.pem"))
    planned = builder.json("bundle", "import", bundle, "--dry-run")
    assert builder.rows() == {}
    imported = builder.json("bundle", "import", bundle)
    assert imported == {**planned, "dry_run": False}
    assert set(imported["new"]["engines"]) == set(engines)
    assert builder.json("fsck")["findings"] == []
    facts = builder.json("submit", digits / "lenet.onnx")
    assert facts["hit"]
    assert {engine["id"]: engine["digest"] for engine in facts["engines"]} == {
        engine_id: engine["digest"] for engine_id, engine in engines.items()
    }
    assert facts["table"]["digest"] == stocked.facts["table"]["digest"]
    assert facts["verification"] == stocked.facts["verification"]
    assert "jobs" not in builder.rows()
    engine = min(engines)
    assert builder.json("engines", "pull", engine, "-o", "lenet.plan")["verified"]
    assert not builder.json("engines", "check", "lenet.plan")["own"]
    shown = builder.json("engines", "show", engine)
    assert shown["imported"]["bundle"] == imported["bundle"]
    assert shown["signed_by"] == imported["signed_by"] == shown["imported"]["farm"]
    again = builder.ok("bundle", "import", bundle).out.splitlines()
    assert again[-1] == "nothing is new"
    assert builder.rows()["engines"] == 2


def test_what_was_made_on_a_gpu_travels_with_what_it_tells(
    gpu_farm: GpuFarm, tmp_path: Path, migrated: Path, golden: Path
) -> None:
    """A table as TensorRT wrote it, and an engine that was measured where it was built, and can be again elsewhere."""
    facts, path = gpu_farm.submit(), tmp_path / "gpu.bundle"
    gpu_farm.program.ok("bundle", "export", "--model", "lenet", "--with-recordings", "-o", path)
    gpu_farm.program.ok("keys", "export", "-o", tmp_path / "gpu.pem")
    other = _another(gpu_farm.program, tmp_path / "other", migrated)
    other.ok("keys", "trust", tmp_path / "gpu.pem")
    new = other.json("bundle", "import", path)["new"]
    [engine], [table] = new["engines"], new["tables"]
    shown, before = (farm.json("engines", "show", engine) for farm in (other, gpu_farm.program))
    for name in ("gpu", "device", "table_reuse", "coverage", "int8_time_share", "metrics", "layers"):
        assert shown.get(name) == before.get(name)
    assert shown["gpu"] == "NVIDIA H200"
    assert shown["metrics"]["simulated"] is False
    assert other.json("tables", "show", table)["origin"] == "native"
    assert other.json("tables", "list")[0]["digest"] == facts["table"]["digest"]
    other = replace(other, environment=gpu_farm.program.environment)
    GpuFarm.made(other, gpu_farm.model, golden, tmp_path / "tensorrt")
    test = gpu_farm.model.parent / "test"
    data = ("--data", test / "data.npy", "--labels", test / "labels.npy")
    assert other.json("verify", engine, *data, "--fresh")["metrics"] == before["metrics"]
    assert {job["kind"] for job in other.json("jobs", "list")} == {"measure"}
    assert [model["whole"] for model in other.json("bundle", "show", path)["models"]] == [False]


def test_what_is_in_a_bundle_is_shown(stocked: Stocked, program: Program, bundle: Path, tmp_path: Path) -> None:
    shown = stocked.program.json("bundle", "show", bundle)
    assert (shown["own"], shown["trusted"], shown["size"]) == (True, True, bundle.stat().st_size)
    assert {engine["id"] for engine in shown["engines"]} == {engine["id"] for engine in stocked.facts["engines"]}
    assert [model["whole"] for model in shown["models"]] == [False]
    stranger = program.ok("bundle", "show", bundle).out
    assert "a key that is not trusted here" in stranger
    assert "sm_89" in stranger
    assert not (program.home / "keys" / "signing.pem").exists()
    with tarfile.open(bundle) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    plans = {f"sha256:{path.name}" for path in (tmp_path / "unpacked" / "blobs" / "sha256").iterdir()}
    assert {engine["digest"] for engine in shown["engines"]} < plans


def test_an_export_is_what_was_named(own_stock: Stocked, tmp_path: Path) -> None:
    program, one = own_stock.program, own_stock.facts["engines"][0]
    program.ok("engines", "label", one["id"], "prod")
    exported = program.json("bundle", "export", "--label", "prod", "--model", "lenet", "-o", tmp_path / "prod.bundle")
    assert [engine["id"] for engine in exported["engines"]] == [one["id"]]
    assert [engine["labels"] for engine in exported["engines"]] == [["prod"]]
    again = program.json("bundle", "export", "--engine", one["digest"][:20], "-o", tmp_path / "again.bundle")
    assert again["bundle"] == exported["bundle"]
    assert (tmp_path / "again.bundle").read_bytes() == (tmp_path / "prod.bundle").read_bytes()
    table = own_stock.facts["table"]["id"]
    small = program.json("bundle", "export", "--table", table, "--with-models", "-o", tmp_path / "table.bundle")
    assert (small["engines"], [entry["id"] for entry in small["tables"]]) == ([], [table])
    assert small["models"][0]["whole"]
    program.fails(8, "bundle", "export", "--engine", "eng_none", "-o", tmp_path / "none.bundle")
    program.fails(2, "bundle", "export", "-o", tmp_path / "none.bundle")
    assert not (tmp_path / "none.bundle").exists()


def test_what_is_no_bundle_leaves_nothing(program: Program, bundle: Path, tmp_path: Path) -> None:
    program.ok("keys", "trust", bundle.with_name("farm.pem"))
    cut, changed = tmp_path / "cut.bundle", tmp_path / "changed.bundle"
    data = bundle.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    changed.write_bytes(data[:-5000] + bytes([data[-5000] ^ 1]) + data[-4999:])
    for command, path in (("import", cut), ("show", changed), ("import", Path(__file__))):
        assert program.fails(14, "bundle", command, path)["code"] == "bad_bundle"
    program.fails(8, "bundle", "import", tmp_path / "none.bundle")
    assert program.rows() == {}
    program.ok("clean", "--garbage-after", "0s")
    assert program.blobs() == []


def test_an_import_that_is_killed_leaves_nothing_but_garbage(program: Program, bundle: Path) -> None:
    program.ok("keys", "trust", bundle.with_name("farm.pem"))
    environment = {**os.environ, "TRTFARM_HOME": str(program.home)}
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(bundle), "3000000"], env=environment, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert program.rows() == {}
    assert program.ok("fsck").out.startswith("0 files read, 0 damaged")
    program.ok("bundle", "import", bundle)
    assert program.damaged() == []
    assert program.rows()["engines"] == 2


@dataclass(frozen=True, kw_only=True)
class Served:
    """A farm behind HTTP, and the commands of somebody else."""

    host: Program
    client: Program


@pytest.fixture
def served(program: Program, tmp_path: Path) -> Iterator[Served]:
    port, token = free_port(), program.ok("tokens", "create", "laptop").out.strip()
    environment = {"TRTFARM_URL": f"http://127.0.0.1:{port}", "TRTFARM_TOKEN": token}
    with api(program, port):
        yield Served(host=program, client=replace(program, home=tmp_path / "laptop", environment=environment))


def test_a_farm_behind_http_takes_and_gives_the_same(
    served: Served, bundle: Path, tmp_path: Path, migrated: Path
) -> None:
    embedded = _another(served.host, tmp_path / "embedded", migrated)
    embedded.ok("keys", "trust", bundle.with_name("farm.pem"))
    error = served.client.fails(11, "bundle", "import", bundle)
    assert "trtfarm keys trust" in error["remedy"]
    served.host.ok("keys", "trust", bundle.with_name("farm.pem"))
    for options in (("--dry-run", "--json"), ("--labels",)):
        here, there = (farm.ok("bundle", "import", bundle, *options) for farm in (embedded, served.client))
        assert (here.out, here.err) == (there.out, there.err)
    assert served.host.rows()["engines"] == 2
    given, taken = tmp_path / "given.bundle", tmp_path / "taken.bundle"
    served.host.ok("bundle", "export", "--model", "lenet", "-o", given)
    served.client.ok("bundle", "export", "--model", "lenet", "-o", taken)
    assert digest_of_file(given) == digest_of_file(taken)
    taken.write_bytes(bundle.read_bytes()[:-1])
    errors = [farm.fails(14, "bundle", "import", taken) for farm in (embedded, served.client)]
    assert errors[0] == errors[1]
    assert str(taken) in errors[0]["message"]


def _another(program: Program, folder: Path, migrated: Path) -> Program:
    """The program with a new farm in a new folder."""
    home = folder / "home"
    home.mkdir(parents=True)
    shutil.copy(migrated, home / "farm.db")
    return replace(program, home=home, folder=folder, environment={})
