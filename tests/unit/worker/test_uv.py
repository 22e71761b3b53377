from __future__ import annotations

import os

import pytest

from trtfarm_worker.toolchains.uv import uv_environment


def test_pips_settings_are_told_to_uv() -> None:
    given = {"PIP_INDEX_URL": "https://mirror/simple", "PIP_CERT": "/ca.pem", "UV_OFFLINE": "1", "https_proxy": "p"}
    told = {"UV_DEFAULT_INDEX": "https://mirror/simple", "SSL_CERT_FILE": "/ca.pem", "UV_SYSTEM_CERTS": "1"}
    assert uv_environment(given) == {**given, **told}


def test_uvs_own_settings_win() -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        given = {"PIP_INDEX_URL": "https://pip/simple", name: "https://uv/simple"}
        assert uv_environment(given) == {**given, "UV_SYSTEM_CERTS": "1"}


def test_the_systems_certificates_can_be_switched_off() -> None:
    assert uv_environment({"UV_SYSTEM_CERTS": "0"})["UV_SYSTEM_CERTS"] == "0"


def test_the_real_environment_is_asked_for_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """os.environ raises TypeError when it is asked for None, where a dict says no."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("PIP_CERT", "/ca.pem")
    assert uv_environment(os.environ)["SSL_CERT_FILE"] == "/ca.pem"
