"""The engine that a user names, as a checked file: of the farm in use, or one that was pulled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trtfarm.regular_files import is_file
from trtfarm_cli.opening import open_any
from trtfarm_cli.profiles import profile_in_use

if TYPE_CHECKING:
    from trtfarm.settings import Settings
    from trtfarm_worker.engines.named import NamedEngine


def named_engine(settings: Settings, text: str, folder: Path) -> NamedEngine:
    """Puts the engine into `folder`. Raises as `fetch_engine` does."""
    from trtfarm_worker.engines.named import fetch_engine
    from trtfarm_worker.engines.profiles import more_profiles

    if profile_in_use(settings.home) is None or is_file(text) or "/" in text:
        return fetch_engine(settings, text, folder)
    with open_any() as farm:
        pulled = farm.engines.pull(text, folder / "pulled.engine", verify=True)
        more = more_profiles(farm.engines.details(pulled.engine)["options"])
    return replace(fetch_engine(settings, str(pulled.path), folder), name=pulled.engine, more_profiles=more)
