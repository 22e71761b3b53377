from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event, text

from tests.contracts.rows import model_row
from tests.disk import file_size_limit
from trtfarm.database.migrate import prepare
from trtfarm.database.patience import GONE_SECONDS
from trtfarm.database.session import Database, open_database, sqlite_url
from trtfarm.errors import DiskFullError, StorageError, UsageError


def pragma(database: Database, name: str) -> object:
    with database.read() as session:
        return session.scalar(text(f"PRAGMA {name}"))


def test_sqlite_syncs_every_commit_and_keeps_foreign_keys(database: Database) -> None:
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "synchronous") == 2  # FULL
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "busy_timeout") == 30_000


def test_a_reader_sees_one_state_while_a_writer_goes_on(database: Database) -> None:
    count = text("SELECT count(*) FROM models")
    with database.read() as reader:
        assert reader.scalar(count) == 0
        with database.write() as writer:
            writer.add(model_row())
        assert reader.scalar(count) == 0
    with database.read() as reader:
        assert reader.scalar(count) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/farm", "not supported"),
        ("sqlite://", "needs a file"),
        ("no url at all", "cannot be read"),
        ("postgresql://user:hunter2@host:port/farm", "cannot be read"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        open_database(url)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_its_network_has_lost_is_given_up_in_seconds_or_as_the_url_says() -> None:
    database = open_database("postgresql://trtfarm@db.example/trtfarm?tcp_user_timeout=5000")
    told: dict[str, object] = {}

    @event.listens_for(database.engine, "do_connect")
    def connect(_dialect: object, _record: object, _words: object, parameters: dict[str, object]) -> None:
        told.update(parameters)
        raise ConnectionError

    with pytest.raises(ConnectionError), database.read() as session:
        session.execute(text("SELECT 1"))
    assert (told["host"], told["connect_timeout"], told["tcp_user_timeout"]) == ("db.example", 10, "5000")
    idle, interval, count = (int(str(told[f"keepalives_{word}"])) for word in ("idle", "interval", "count"))
    assert idle + interval * count == GONE_SECONDS


def test_who_is_to_end_asks_no_server_any_more() -> None:
    database = open_database("postgresql://trtfarm@db.example/trtfarm")
    database.give_up_in(0)
    with pytest.raises(StorageError) as told, database.read() as session:
        session.execute(text("SELECT 1"))
    assert "this process ends" in str(told.value.cause)


def test_a_folder_with_odd_characters_will_do(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path / "50 %s ?mode=ro #1" / "farm.db"))
    prepare(database)
    with database.write() as session:
        session.add(model_row())
    database.close()
    assert (tmp_path / "50 %s ?mode=ro #1" / "farm.db").is_file()


def test_a_file_that_is_no_database_is_said_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "farm.db"
    path.write_bytes(b"these are the minutes of a meeting\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not a database"):
        prepare(open_database(sqlite_url(path)))
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file stands where the folder should")
    with pytest.raises(StorageError, match="cannot be made"):
        open_database(sqlite_url(tmp_path / "home" / "farm.db"))


def test_a_full_database_is_said_and_the_transaction_is_undone(database: Database) -> None:
    def fill() -> None:
        with database.write() as session:
            pages = session.scalar(text("PRAGMA page_count"))
            session.execute(text(f"PRAGMA max_page_count = {pages}"))
            session.add_all([model_row(id=f"mod_{i}", name=f"{i}" * 150) for i in range(100)])

    with pytest.raises(DiskFullError, match="no space left"):
        fill()
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM models")) == 0


def test_a_full_disk_is_said_to_who_only_reads(database: Database) -> None:
    """Also a reader of SQLite needs a file, which the last one has taken away with it."""
    database.close()
    with file_size_limit(1000), pytest.raises(DiskFullError, match="no space left"), database.read() as session:
        session.scalar(text("SELECT count(*) FROM models"))


def test_a_server_that_is_not_there_is_said() -> None:
    database = open_database("postgresql://farm:hunter2@127.0.0.1:9/farm")
    with pytest.raises(StorageError, match="reachable") as caught:
        prepare(database)
    assert "hunter2" not in str(caught.value)


def test_a_farm_on_sqlite_that_is_up_to_date_imports_little(database_url: str) -> None:
    program = (
        "import sys\n"
        "import trtfarm.catalog.search, trtfarm.jobs.manager\n"
        "from trtfarm.database.migrate import prepare\n"
        "from trtfarm.database.session import open_database\n"
        "prepare(open_database(sys.argv[1]))\n"
        "heavy = {'alembic', 'numpy', 'obstore', 'psycopg', 'sqlalchemy.dialects.postgresql'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, database_url], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
