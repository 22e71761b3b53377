from __future__ import annotations

from trtfarm_worker.toolchains.uv import uv_environment


def test_pips_settings_are_told_to_uv() -> None:
    given = {"PIP_INDEX_URL": "https://mirror/simple", "PIP_CERT": "/ca.pem", "UV_OFFLINE": "1", "https_proxy": "p"}
    assert uv_environment(given) == {**given, "UV_DEFAULT_INDEX": "https://mirror/simple", "SSL_CERT_FILE": "/ca.pem"}


def test_uvs_own_settings_win() -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        given = {"PIP_INDEX_URL": "https://pip/simple", name: "https://uv/simple"}
        assert uv_environment(given) == given
