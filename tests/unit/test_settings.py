from __future__ import annotations

import os
from pathlib import Path

import pytest

from trtfarm.blobs.location import store_at
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.session import open_database
from trtfarm.errors import UsageError
from trtfarm.settings import Settings

HOME = "/farm"


def read(**variables: str) -> Settings:
    return Settings.from_environment({"TRTFARM_HOME": HOME, **variables})


def test_with_nothing_set_everything_is_in_the_users_data_folder() -> None:
    settings = Settings.from_environment({})
    assert settings.home.name == "trtfarm"
    assert settings.home.is_absolute()
    assert settings.database_url == f"sqlite:///{settings.home}/farm.db"
    assert settings.blob_url == f"file://{settings.home}/blobs"
    assert settings.broker_url == "filesystem://"


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert read(TRTFARM_SLOTS="", TRTFARM_TARGETS="", TRTFARM_DATABASE_URL="") == read()


def test_each_variable_is_read() -> None:
    settings = read(
        TRTFARM_DATABASE_URL="postgresql://farm@host/farm",
        TRTFARM_BLOB_URL="s3://engines",
        TRTFARM_BROKER_URL="redis://host",
        TRTFARM_SIGNING_KEY="/keys/fleet.pem",
        TRTFARM_TARGETS="sm_75, 8.9,",
        TRTFARM_WORKER_LABELS="zone=b, rack=a1,",
        TRTFARM_SLOTS="4",
        TRTFARM_LEASE_SECONDS="1.5",
        TRTFARM_WALL_SECONDS="60",
        TRTFARM_SILENT_SECONDS="6",
        TRTFARM_MEMORY_GIB="0.5",
        TRTFARM_GPU_MEMORY_GIB="1",
        TRTFARM_MAX_ATTEMPTS="7",
    )
    assert settings == Settings(
        home=Path(HOME),
        database_url="postgresql://farm@host/farm",
        blob_url="s3://engines",
        broker_url="redis://host",
        signing_key=Path("/keys/fleet.pem"),
        worker_labels=("rack=a1", "zone=b"),
        targets=(ComputeCapability(7, 5), ComputeCapability(8, 9)),
        slots=4,
        lease_seconds=1.5,
        wall_seconds=60,
        silent_seconds=6,
        memory_bytes=1 << 29,
        gpu_memory_bytes=1 << 30,
        max_attempts=7,
    )


@pytest.mark.parametrize(
    "name", ["SLOTS", "LEASE_SECONDS", "WALL_SECONDS", "SILENT_SECONDS", "MEMORY_GIB", "MAX_ATTEMPTS"]
)
@pytest.mark.parametrize("value", ["many", "0", "-1", "nan", "inf", "1e999", "1e300"])
def test_a_number_that_cannot_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"TRTFARM_{name}={value}"):
        read(**{f"TRTFARM_{name}": value})


@pytest.mark.parametrize("name", ["SLOTS", "MAX_ATTEMPTS"])
def test_counts_are_whole(name: str) -> None:
    with pytest.raises(UsageError, match=f"TRTFARM_{name}=1.5"):
        read(**{f"TRTFARM_{name}": "1.5"})


@pytest.mark.parametrize("value", ["sm_86,rtx4090", ",", " "])
def test_targets_that_cannot_be_used_are_refused_by_name(value: str) -> None:
    with pytest.raises(UsageError, match="TRTFARM_TARGETS"):
        read(TRTFARM_TARGETS=value)


def test_the_home_may_be_relative_or_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert read(TRTFARM_HOME="farm").home == tmp_path / "farm"
    assert read(TRTFARM_HOME="~/farm").home == tmp_path / "me" / "farm"


@pytest.mark.parametrize("home", ["~nobody-of-this-name", "kept-\udcff"])
def test_a_home_that_cannot_be_is_refused(home: str) -> None:
    """Of a user who is unknown, and with a name that no URL can hold."""
    with pytest.raises(UsageError, match="cannot be used"):
        read(TRTFARM_HOME=home)


def test_a_user_without_a_home_is_told_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1_234_567)
    with pytest.raises(UsageError, match="no home folder"):
        Settings.from_environment({})


def test_any_name_of_a_home_will_do(tmp_path: Path) -> None:
    """In a URL `?` and `%` mean something."""
    home = tmp_path / "a b%20c?d=e#f ü"
    settings = read(TRTFARM_HOME=str(home))
    database = open_database(settings.database_url)
    assert database.engine.url.database == str(home / "farm.db")
    database.close()
    store_at(settings.blob_url).put_bytes(b"engine")
    assert sorted(path.name for path in tmp_path.iterdir()) == [home.name]
    assert (home / "blobs").is_dir()
