"""Opening the farm that commands speak to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from trtfarm.errors import UsageError

if TYPE_CHECKING:
    from trtfarm.farm import Farm
    from trtfarm.settings import Settings
    from trtfarm_cli.farms.any_farm import AnyFarm


@contextmanager
def open_any() -> Iterator[AnyFarm]:
    """The farm that TRTFARM_URL or a profile names, else the embedded one."""
    from trtfarm.settings import Settings
    from trtfarm_cli.profiles import link_of, profile_in_use

    settings = Settings.from_environment()
    profile = profile_in_use(settings.home)
    if profile is not None:
        from trtfarm_cli.farms.remote.farm import RemoteFarm
        from trtfarm_client import Client

        with Client(link_of(profile)) as client:
            yield RemoteFarm(client, settings)
        return
    from trtfarm_cli.farms.here.farm import FarmHere

    with ExitStack() as stack:
        yield FarmHere(settings, lambda: stack.enter_context(_opened(settings)))


def _opened(settings: Settings) -> Farm:
    from trtfarm.farm import Farm

    return Farm.open(settings)


def settings_here() -> Settings:
    """Those of the farm of this host. Raises UsageError while another is in use."""
    from trtfarm.settings import Settings
    from trtfarm_cli.profiles import profile_in_use, said_by_environment

    settings = Settings.from_environment()
    if (profile := profile_in_use(settings.home)) is not None:
        variable = said_by_environment()
        back = f"unset {variable}" if variable else "trtfarm profile use embedded"
        raise UsageError(
            f"this is done on the farm's own host, and {profile.url} is in use",
            remedy=f"run it there, or go back to the farm of this host: {back}",
        )
    return settings
