"""Servers whose certificate nobody has signed but themselves."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from trtfarm.errors import ServerError, UnreachableError
from trtfarm_client import Client, Link


def _certificate() -> bytes:
    """A key and its own certificate for 127.0.0.1, as PEM."""
    key, name, now = Ed25519PrivateKey.generate(), x509.Name([]), datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(hours=1))
    certificate = builder.add_extension(address, critical=True).sign(key, None)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return pem + certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of one that shakes hands with whoever comes."""
    (tmp_path / "server.pem").write_bytes(_certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):  # of clients that hang up, and of the socket that is closed at the end
                while True:
                    connection, _ = listening.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_one_that_nobody_vouches_for_is_told_at_once(server: str) -> None:
    """Its server is there, so that waiting for it is in vain."""
    with Client(Link(url=server)) as client, pytest.raises(ServerError, match="nobody vouches for") as caught:
        client.whoami()
    assert not isinstance(caught.value, UnreachableError)
    assert "SSL_CERT_FILE" in str(caught.value.remedy)


def test_the_named_certificate_is_taken(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after the handshake is another matter: this server hangs up."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    with Client(Link(url=server, patience=0)) as client, pytest.raises(UnreachableError, match="does not answer"):
        client.whoami()
