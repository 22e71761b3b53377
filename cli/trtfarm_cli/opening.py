"""Opening the farm that the environment names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtfarm.farm import Farm


@contextmanager
def open_farm() -> Iterator[Farm]:
    from trtfarm.farm import Farm
    from trtfarm.settings import Settings

    with Farm.open(Settings.from_environment()) as farm:
        yield farm
