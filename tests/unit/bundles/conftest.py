"""A bundle, the farm that made it, and farms that trust it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.contracts.bundle_stock import Stock, bundle, farm_at, trusts
from trtfarm.bundles.selection import Selection
from trtfarm.farm import Farm

NewFarm = Callable[[], Farm]


@pytest.fixture(scope="session")
def new_farm(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewFarm]:
    """Makes a farm with nothing in it."""
    with ExitStack() as made:
        yield lambda: made.enter_context(farm_at(tmp_path_factory.mktemp("farm"), migrated))


@pytest.fixture(scope="session")
def giver(new_farm: NewFarm) -> Stock:
    return Stock(new_farm())


@pytest.fixture(scope="session")
def true(giver: Stock) -> bytes:
    """Everything that the giver has, models among it."""
    return bundle(giver.farm, Selection(model="lenet", with_models=True))


@pytest.fixture(scope="session")
def recorded(giver: Stock) -> bytes:
    """With what FP32 computes of the test data."""
    giver.record()
    return bundle(giver.farm, Selection(model="lenet", with_recordings=True))


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
