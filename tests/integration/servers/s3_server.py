"""An S3 of the tests' own: moto's server, which keeps buckets in memory and checks signatures where it is told to."""

from __future__ import annotations

import os
import sys
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from tests.integration.servers.process import Server, free_port

#: What moto counts down before it asks who is there; so many requests are never made.
_NEVER = "inf"


class S3Server:
    def __init__(self) -> None:
        try:
            import moto.server  # noqa: F401, PLC0415 - only to know that it is there
        except ImportError:
            told = "no S3: make setup installs moto"
            if os.environ.get("CI"):
                pytest.fail(told)
            pytest.skip(told)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)]
        self._server = Server(command, {}, ready="Running on")
        self.start, self.stop = self._server.start, self._server.stop

    @property
    def environment(self) -> dict[str, str]:
        """What a farm is told to use it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }

    def bucket(self) -> str:
        """Makes a bucket, and gives its URL."""
        name = f"farm-{uuid4().hex}"
        self._send("PUT", f"/{name}")
        return f"s3://{name}"

    def check_who_asks(self, *, checks: bool) -> None:
        """Has it refuse keys that it did not hand out, which are all, or take any."""
        self._send("POST", "/moto-api/reset-auth", b"0" if checks else _NEVER.encode())

    def _send(self, method: str, path: str, data: bytes | None = None) -> None:
        headers = {"Content-Type": "text/plain", "Host": "s3.amazonaws.com"}
        with urlopen(Request(self.url + path, data=data, method=method, headers=headers)):  # noqa: S310 - of this host
            pass
