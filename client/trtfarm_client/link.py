"""Where a farm is and how it is spoken to: what goes with each request, and what answers and failures mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2

import trtfarm
from trtfarm.errors import ServerError, TrtfarmError, UnreachableError, UsageError, error_from_dict
from trtfarm_client.call import Call
from trtfarm_client.patience import Patience

Answer = TypeVar("Answer")

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_TIMEOUT = httpx2.Timeout(60.0, connect=10.0)
#: Seconds; a server that is being started takes as long.
_FIRST_PATIENCE = 3.0
#: Bytes of a file that are read, and sent, at once.
SENT_BYTES = 1 << 20
_NO_CONTENT = 204
_FIRST_ERROR = 400
#: What a proxy in front of a server that is gone says.
_OF_PROXIES = frozenset({502, 503, 504})
_SHOWN = 200
#: OpenSSL's word for a certificate that nobody known has signed, that has run out, or that is for another host.
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


@dataclass(frozen=True, kw_only=True)
class Link:
    """A farm's address, such as https://farm.example:8470, and the token that opens it.

    `patience` is for how many seconds in a row a server may be gone or busy before that is an error.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    patience: float = 20.0

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            # What stands before an @ may be a secret.
            raise UsageError(
                f"{self.url.rpartition('@')[2].partition('?')[0][:80]!r} cannot be a farm's address",
                remedy="write it as https://HOST:PORT, without a token in it",
            )
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise UsageError("the token has characters that no token has", remedy="copy it again, whole")
        object.__setattr__(self, "url", self.url.rstrip("/"))

    @property
    def private(self) -> bool:
        """Whether nobody on the way can read along: by encryption, or because there is no way."""
        parts = urlsplit(self.url)
        return parts.scheme == "https" or parts.hostname in _THIS_MACHINE

    def patience_of(self, *, reached: bool) -> Patience:
        """Less for a server that has never answered."""
        return Patience(self.patience, at_first=None if reached else _FIRST_PATIENCE)

    def client_options(self) -> dict[str, Any]:
        """Arguments of httpx2's clients; redirects are not followed, so that no token goes elsewhere."""
        headers = {"User-Agent": f"trtfarm/{trtfarm.__version__}"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return {"base_url": self.url, "headers": headers, "timeout": _TIMEOUT, "follow_redirects": False}

    def asked(self, call: Call[Any], headers: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
        """Arguments of a request."""
        return {"params": dict(call.params), "headers": {**call.headers, **headers}, "json": call.body}

    def read(self, call: Call[Answer], status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to a call. Raises the server's own error, or ServerError for what no farm would say."""
        self.check(status, headers, body)
        if call.raw:
            return call.parse(body)
        return call.parse(None if status == _NO_CONTENT or not body else self._json(status, body))

    def check(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raises the error that a response is, if it is one."""
        if status < 300:  # noqa: PLR2004 - what begins with 2 is a success
            return
        error = self._error(status, body)
        wait = headers.get("Retry-After", "")
        error.retry_after = float(wait) if wait.isascii() and wait.isdecimal() else None
        raise error

    def _error(self, status: int, body: bytes) -> TrtfarmError:
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            data = None
        if status < _FIRST_ERROR or not isinstance(data, dict) or "code" not in data:
            return self._foreign(status, body)
        error = error_from_dict(data)
        if status == 500:  # noqa: PLR2004 - the server's log has more
            error.cause = f"request {data.get('request_id')} at {self.url}"
        return error

    def broken_off(self) -> UnreachableError:
        """Events ended before the last one."""
        return UnreachableError(f"{self.url} ended the connection", remedy="see that the server runs, then try again")

    @contextmanager
    def transport_errors(self) -> Iterator[None]:
        """Tells what goes wrong on the way as UnreachableError."""
        try:
            yield
        except httpx2.TransportError as error:
            if _UNTRUSTED in str(error):
                raise ServerError(
                    f"{self.url} shows a certificate that nobody vouches for",
                    cause=str(error),
                    remedy="name a PEM file with the certificate of who signed it in SSL_CERT_FILE",
                ) from error
            raise UnreachableError(
                f"{self.url} does not answer",
                cause=str(error) or type(error).__name__,
                remedy="see that the server runs and that TRTFARM_URL or the profile is right, then try again",
            ) from error
        except (httpx2.InvalidURL, httpx2.DecodingError) as error:
            raise ServerError(f"{self.url} gives what cannot be read", cause=str(error)) from error

    def _json(self, status: int, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise self._foreign(status, body) from None

    def _foreign(self, status: int, body: bytes) -> TrtfarmError:
        """What is no answer of a farm: somebody else listens there, or stands in between."""
        kind = UnreachableError if status in _OF_PROXIES else ServerError
        return kind(
            f"{self.url} answers with {status}, and not as a farm does",
            cause=body[:_SHOWN].decode("utf-8", "replace").strip() or None,
            remedy="see that TRTFARM_URL or the profile names the farm's API",
        )


def compact(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None: parameters that are not given."""
    return {name: value for name, value in values.items() if value is not None}


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = (parts.hostname or "").encode("idna")
        # Asked for, because it may be no number, or too large.
        allowed = parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    strange = parts.username or parts.query or parts.fragment or not url.isprintable() or " " in url
    return bool(named) and allowed and not strange
