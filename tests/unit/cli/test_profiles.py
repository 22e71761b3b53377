"""Which farm commands speak to, and where its token may go."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtfarm.errors import NotFoundError, UsageError
from trtfarm_cli.opening import settings_here
from trtfarm_cli.profiles import EMBEDDED, Profile, Profiles, link_of, profile_in_use, read_profiles, write_profiles

TEAM = Profile(url="https://team.example", token="trtfarm_team")  # noqa: S106 - it opens nothing
LAB = Profile(url="https://lab.example:8470", token="trtfarm_lab")  # noqa: S106


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    write_profiles(home, Profiles().put("team", TEAM).put("lab", LAB).using("lab"))
    return home


def test_profiles_are_kept_for_their_owner_alone(home: Path) -> None:
    assert (home / "profiles.json").stat().st_mode & 0o777 == 0o600
    assert read_profiles(home) == Profiles(profiles={"team": TEAM, "lab": LAB}, used="lab")
    assert "trtfarm_" not in repr(read_profiles(home))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, LAB),
        ({"TRTFARM_PROFILE": "team"}, TEAM),
        ({"TRTFARM_PROFILE": EMBEDDED}, None),
        ({"TRTFARM_TOKEN": "other"}, Profile(url=LAB.url, token="other")),  # noqa: S106
        ({"TRTFARM_URL": "https://team.example/"}, Profile(url="https://team.example/", token=TEAM.token)),
        ({"TRTFARM_URL": "https://else.example", "TRTFARM_PROFILE": "team"}, Profile(url="https://else.example")),
    ],
)
def test_the_environment_comes_before_what_is_in_use(
    home: Path, environment: dict[str, str], expected: Profile | None
) -> None:
    """A token goes to the farm that it was kept for, and to no other."""
    assert profile_in_use(home, environment) == expected


def test_without_any_the_farm_is_the_embedded_one(tmp_path: Path) -> None:
    assert profile_in_use(tmp_path, {}) is None
    assert not (tmp_path / "profiles.json").exists()


def test_a_profile_that_is_not_there_is_told(home: Path) -> None:
    with pytest.raises(NotFoundError, match="no profile 'none'"):
        profile_in_use(home, {"TRTFARM_PROFILE": "none"})
    left = read_profiles(home).without("lab")
    assert (list(left.profiles), left.used) == (["team"], None)
    with pytest.raises(NotFoundError):
        left.using("lab")


@pytest.mark.parametrize("name", ["", "Team", "../team", EMBEDDED, "-x", "a" * 65])
def test_names_that_no_profile_has(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        Profiles().put(name, TEAM)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"profiles": {"a": {"no": 1}}, "used": null}', '{"profiles": 1}'])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "profiles.json").write_text(text)
    with pytest.raises(UsageError, match="cannot be read"):
        read_profiles(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "ftp://farm",
        "http://[::1",
        "http://farm:port",
        "http://farm:99999",
        "http://farm:0",
        "http://a b",
        "http://farm.example\x00",
        "http://farm?x=1",
        "http://farm#x",
        f"http://{'x' * 300}",
        "https://user:secret@farm",
        "https://user:secret@[::1",
    ],
)
def test_what_is_no_address_is_refused_without_telling_secrets(url: str) -> None:
    with pytest.raises(UsageError, match="cannot be a farm's address") as refused:
        link_of(Profile(url=url))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://farm:8470", "https://[::1]:1/team", "https://f\N{LATIN SMALL LETTER U WITH DIAERESIS}r.example"]
)
def test_addresses(url: str) -> None:
    assert link_of(Profile(url=f"{url}/")).url == url


@pytest.mark.parametrize(
    ("environment", "back"),
    [
        ({"TRTFARM_URL": LAB.url}, "unset TRTFARM_URL"),
        ({"TRTFARM_PROFILE": "lab"}, "unset TRTFARM_PROFILE"),
        ({}, "use embedded"),
    ],
)
def test_the_way_back_to_this_host_is_told(
    home: Path, environment: dict[str, str], back: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TRTFARM_HOME": str(home), **environment}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="own host") as refused:
        settings_here()
    assert str(refused.value.remedy).endswith(back)
