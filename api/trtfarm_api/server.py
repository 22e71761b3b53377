"""The server process."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
from collections.abc import Callable

import uvicorn

from trtfarm.errors import UsageError
from trtfarm.farm import Farm
from trtfarm.settings import Settings
from trtfarm.tokens import any_token
from trtfarm_api.app import make_app
from trtfarm_api.choosing import Choose
from trtfarm_api.service import Announce, Service

_KEEP_ALIVE_SECONDS = 15
_LOG_LINE = "level=%(levelname)s logger=%(name)s event=%(message)s"
#: What requests that are under way get before the process ends.
_GRACE_SECONDS = 10


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    announce: Announce,
    choose: Callable[[Farm], Choose],
    tell: Callable[[str], None],
) -> None:
    """Answers requests until SIGTERM or Ctrl-C.

    Raises UsageError for an address that others reach while nobody has a token, or that cannot be used.
    """
    logging.basicConfig(format=_LOG_LINE, level=logging.WARNING)
    with Farm.open(settings) as farm:
        public = not is_loopback(host)
        if public:
            _check_tokens(farm, host)
        listening = listen(host, port)
        app = make_app(Service(farm=farm, public=public, announce=announce, choose=choose(farm)))
        tell(f"listening on http://{_shown(host)}:{listening.getsockname()[1]}")
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn takes them while it runs and sends them again at its end, which is in good order.
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run([listening])


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach the address; a name counts as what it is known as here."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_tokens(farm: Farm, host: str) -> None:
    with farm.database.read() as session:
        if any_token(session):
            return
    raise UsageError(
        f"others could reach {host}, and nobody needs a token",
        cause="whoever reaches the server may have anything built and read everything",
        remedy="make a token first (trtfarm tokens create NAME), or leave --host out",
    )


def listen(host: str, port: int) -> socket.socket:
    """The socket, made here so that an address that is taken is told as every other error.

    Connections have its options. An answer is a packet for its head and one for its body: without NODELAY the second
    waits until a client that keeps its connection acknowledges the first, which takes 40 ms. asyncio sets that for
    sockets that it makes itself.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"{host}:{port} cannot be listened on", cause=str(error), remedy="choose another with --host and --port"
        ) from error
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
