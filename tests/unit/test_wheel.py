"""The wheel holds all that an installation needs; a typing error in its list of packages would drop one in silence."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPOSITORY

#: Makes a database with nothing but the wheel's own files, and says where they are.
_FIRST_USE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import trtfarm, trtfarm_builder, trtfarm_worker, trtfarm_client, trtfarm_cli
from trtfarm.database import migrate
from trtfarm.database.session import open_database, sqlite_url
database = open_database(sqlite_url(Path(sys.argv[2])))
migrate.prepare(database)
with database.engine.connect() as connection:
    print(migrate.revision(connection) == migrate.HEAD)
database.close()
for package in (trtfarm, trtfarm_builder, trtfarm_worker, trtfarm_client, trtfarm_cli):
    print(Path(package.__file__).is_relative_to(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def listed() -> list[str]:
    """The packages of pyproject.toml, as paths from the repository's root."""
    project: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packages: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return packages


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_list_names_every_package_that_there_is(listed: list[str]) -> None:
    there = {path.parent.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("*/trtfarm*/__init__.py")}
    assert set(listed) == there
    assert len(there) == 6


def test_the_wheel_holds_every_module_and_every_migration(listed: list[str], wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        path.relative_to((REPOSITORY / package).parent).as_posix()
        for package in listed
        for path in (REPOSITORY / package).rglob("*.py")
    }
    assert modules - names == set()
    migrations = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "migrations").rglob("*.py")}
    assert {f"trtfarm/database/{path}" for path in migrations} <= names
    assert len(migrations) > 1


def test_type_checkers_of_those_who_use_it_are_told_that_it_has_types(listed: list[str], wheel: Path) -> None:
    """Without the marker they take all that is imported from it for `Any`, or refuse it."""
    assert {f"{Path(package).name}/py.typed" for package in listed} <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_makes_a_database_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    first_use = [sys.executable, "-I", "-c", _FIRST_USE, str(tmp_path / "site"), str(tmp_path / "farm.db")]
    ran = subprocess.run(first_use, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert ran.stdout.split() == ["True"] * 6


@pytest.mark.parametrize(("name", "version"), [("onnx", "1.20.1"), ("celery", "5.6.2"), ("kombu", "5.6.2")])
def test_releases_with_known_holes_are_not_enough(name: str, version: str) -> None:
    """Of onnx, external data could leave the model's folder; of the others, workers did not come back to a broker."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (wanted,) = [found for text in project["dependencies"] if (found := Requirement(text)).name == name]
    assert version not in wanted.specifier
