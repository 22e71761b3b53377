"""Which farm commands speak to: the embedded one, or one behind HTTP that the environment or a profile names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtfarm.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from trtfarm_client import Link

#: What the farm is called that needs no server.
EMBEDDED = "embedded"
_FILE = "profiles.json"
#: Tokens stand in it.
_MODE = 0o600
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A farm behind HTTP; without a token it is asked for as somebody of the server's own machine."""

    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """Profiles by name; `used` is that of the commands that name none, None for the embedded farm."""

    profiles: Mapping[str, Profile] = field(default_factory=dict)
    used: str | None = None

    def get(self, name: str) -> Profile:
        if name not in self.profiles:
            known = ", ".join(self.profiles) or "none"
            raise NotFoundError(f"there is no profile {name!r}", remedy=f"profiles are: {known}; trtfarm profile add")
        return self.profiles[name]

    def put(self, name: str, profile: Profile) -> Profiles:
        """Raises UsageError for a name that no profile can have."""
        if not _NAME.fullmatch(name) or name == EMBEDDED:
            raise UsageError(
                f"{name!r} cannot be the name of a profile",
                remedy=f"use lower-case letters, digits, dots, dashes and underscores, and not {EMBEDDED}",
            )
        return replace(self, profiles={**self.profiles, name: profile})

    def using(self, name: str | None) -> Profiles:
        """Raises NotFoundError for a profile that is not there."""
        if name is not None:
            self.get(name)
        return replace(self, used=name)

    def without(self, name: str) -> Profiles:
        self.get(name)
        left = {other: profile for other, profile in self.profiles.items() if other != name}
        return Profiles(profiles=left, used=None if self.used == name else self.used)


def read_profiles(home: Path) -> Profiles:
    """Raises UsageError for a file that was damaged."""
    path = home / _FILE
    try:
        data = json.loads(path.read_bytes())
        profiles = {name: Profile(**profile) for name, profile in data["profiles"].items()}
        return Profiles(profiles=profiles, used=data["used"])
    except (FileNotFoundError, NotADirectoryError):
        return Profiles()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} cannot be read", cause=str(error), remedy="mend or remove it, then trtfarm profile add"
        ) from error


def write_profiles(home: Path, profiles: Profiles) -> None:
    """Replaces the file in one step; only its owner can read it. Raises StorageError."""
    from trtfarm.durable_files import write_durably
    from trtfarm.file_errors import storage_errors

    path = home / _FILE
    with storage_errors(path):
        home.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(profiles), indent=1).encode()
        write_durably(path, iter([text]), temporary=home, mode=_MODE)


def profile_in_use(home: Path, environment: Mapping[str, str] | None = None) -> Profile | None:
    """The farm behind HTTP to speak to; None for the embedded one.

    TRTFARM_URL decides, then TRTFARM_PROFILE, then what `trtfarm profile use` chose. TRTFARM_TOKEN is for whichever.
    """
    given: Mapping[str, Any] = os.environ if environment is None else environment
    if url := given.get("TRTFARM_URL"):
        # A token that was kept for one farm is sent to no other.
        kept = [one.token for one in read_profiles(home).profiles.values() if one.url.rstrip("/") == url.rstrip("/")]
        found = Profile(url=url, token=next(iter(kept), None))
    else:
        profiles = read_profiles(home)
        name = given.get("TRTFARM_PROFILE") or profiles.used
        if name in (None, EMBEDDED):
            return None
        found = profiles.get(name)
    token = given.get("TRTFARM_TOKEN")
    return replace(found, token=token) if token else found


def said_by_environment(environment: Mapping[str, str] | None = None) -> str | None:
    """The variable that decides which farm is used, before what `trtfarm profile use` chose; None where none does."""
    given: Mapping[str, Any] = os.environ if environment is None else environment
    return next((name for name in ("TRTFARM_URL", "TRTFARM_PROFILE") if given.get(name)), None)


def link_of(profile: Profile) -> Link:
    """Raises UsageError for an address or a token that cannot be."""
    from trtfarm_client import Link

    return Link(url=profile.url, token=profile.token)
