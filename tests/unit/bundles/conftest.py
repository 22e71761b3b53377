"""A bundle, the farm that made it, and farms that trust it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contracts.bundle_stock import Stock, bundle, farm_in, trusts
from trtfarm.bundles.selection import Selection
from trtfarm.database.session import open_database, sqlite_url
from trtfarm.farm import Farm

NewFarm = Callable[[], Farm]


@pytest.fixture(scope="session")
def new_farm(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewFarm]:
    """Makes a farm with nothing in it."""
    made: list[Farm] = []

    def farm() -> Farm:
        folder = tmp_path_factory.mktemp("farm")
        made.append(
            farm_in(folder / "home", open_database(sqlite_url(Path(shutil.copy(migrated, folder / "farm.db")))))
        )
        return made[-1]

    yield farm
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def giver(new_farm: NewFarm) -> Stock:
    return Stock(new_farm())


@pytest.fixture(scope="session")
def true(giver: Stock) -> bytes:
    """Everything that the giver has, models among it."""
    return bundle(giver.farm, Selection(model="lenet", with_models=True))


@pytest.fixture(scope="session")
def wary(new_farm: NewFarm, giver: Stock) -> Farm:
    """One that trusts the giver, for bundles that it has to refuse: nothing is ever in it."""
    farm = new_farm()
    trusts(farm, giver.farm)
    return farm


@pytest.fixture
def taker(new_farm: NewFarm, giver: Stock) -> Farm:
    farm = new_farm()
    trusts(farm, giver.farm)
    return farm
