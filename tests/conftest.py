"""What tests of every kind share."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings

from trtfarm.blobs.location import store_at
from trtfarm.database.migrate import prepare
from trtfarm.database.session import Database, open_database, sqlite_url
from trtfarm.farm import Farm
from trtfarm.settings import Settings

# Contracts hold assertions outside of test files; they should explain themselves just so when they fail.
pytest.register_assert_rewrite("tests.contracts", "tests.fuzz")

# A busy machine takes longer than a property's deadline of 0.2 s, which says nothing about the code.
settings.register_profile("trtfarm", deadline=None, max_examples=60)
settings.register_profile("campaign", deadline=None, max_examples=500, print_blob=True)
settings.load_profile("trtfarm")

REPOSITORY = Path(__file__).resolve().parents[1]
GOLDEN = Path(os.environ.get("TRTFARM_GOLDEN", REPOSITORY.parent / "shared" / "golden"))


def pytest_configure() -> None:
    """Programs that tests start are ended by Ctrl-C, also where the tests run in the background and ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of tables that TensorRT itself wrote, with the models and data that made them."""
    if not GOLDEN.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"the golden files are not at {GOLDEN}: set TRTFARM_GOLDEN")
        pytest.skip("no golden files: set TRTFARM_GOLDEN")
    return GOLDEN


#: Gives a folder of this name that all processes of one run of the tests share; the first of them fills it.
Shared = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    own = tmp_path_factory.getbasetemp()
    run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder(name: str, fill: Callable[[Path], object]) -> Path:
        path = run / name
        with (run / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                unfinished = Path(mkdtemp(dir=run, prefix=f"{name}-"))
                fill(unfinished)
                unfinished.rename(path)
        return path

    return folder


@pytest.fixture(scope="session")
def migrated(shared: Shared) -> Path:
    """An empty SQLite database, made by the migrations; copying it is quicker than making it again."""

    def migrate(folder: Path) -> None:
        made = open_database(sqlite_url(folder / "farm.db"))
        prepare(made)
        made.close()

    return shared("migrated", migrate) / "farm.db"


@pytest.fixture
def database_url(migrated: Path, tmp_path: Path) -> str:
    """A migrated database of the test's own; `tests/integration` overrides this with one on PostgreSQL."""
    return sqlite_url(Path(shutil.copy(migrated, tmp_path / "farm.db")))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def farm(database: Database, tmp_path: Path) -> Farm:
    """On the test's own database, with its files in `home` of the test's folder."""
    given = Settings.from_environment({"TRTFARM_HOME": str(tmp_path / "home")})
    return Farm(given, database, store_at(given.blob_url))
