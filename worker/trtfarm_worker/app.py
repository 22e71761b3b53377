"""The Celery app: a broker message is a hint that carries a job's id, and the database is the truth.

Each capability has a queue, so that a hint reaches a worker that can do something about it; which job that worker then
takes, the database says. So messages are acknowledged early, there is no result backend, no time limit (the supervisor
has its own) and no priority in the broker (they run in opposite directions on Redis and RabbitMQ).
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from kombu.transport import get_transport_cls

from trtfarm import routing
from trtfarm.errors import UnreachableError, UsageError
from trtfarm.file_errors import storage_errors
from trtfarm.jobs.hints import Queued
from trtfarm.settings import Settings
from trtfarm_worker import folder_broker
from trtfarm_worker.logs import logger

_log = logger()

RUN_TASK = "trtfarm.run"
_POLLING_SECONDS = 0.1
#: Who tells of a job does not wait long for a broker that is down: the reconciler tells of it again.
_RECONNECT_ONCE = {"max_retries": 1, "interval_start": 0.0, "interval_step": 0.2, "interval_max": 0.2}
#: Nor for one that says nothing: whoever tells has jobs to do, or others to answer.
_ANSWER_SECONDS = 3.0
#: What Kombu calls that time. Redis answers those who wait for messages every second, and a worker that ends would wait
#: for it, too; RabbitMQ says nothing while there are no messages, so it is for those who tell alone.
_OF_REDIS, _OF_AMQP = ("socket_timeout", "socket_connect_timeout"), ("read_timeout", "write_timeout")
_TELLING = {"amqp": _OF_AMQP, "amqps": _OF_AMQP, "pyamqp": _OF_AMQP}


def make_app(settings: Settings) -> Celery:
    """The app for this farm's broker; a `filesystem://` broker keeps its messages in the farm's home.

    Raises UsageError for a broker that is not supported here, StorageError if the folder cannot be made.
    """
    folder_broker.use_it()
    _check_transport(settings.broker_url)
    # Kombu warns of an URL without a host, also where there is none to name.
    url = "filesystem://localhost" if settings.broker_url == "filesystem://" else settings.broker_url
    app = Celery("trtfarm", broker=url)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker outlasts any outage
        broker_transport_options=_transport_options(settings),
        task_acks_late=False,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=routing.queue_of(routing.Need(routing.CPU)),
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,  # our log's lines are whole already
        worker_send_task_events=False,
        worker_soft_shutdown_timeout=10.0,
        enable_utc=True,
    )
    return app


def _check_transport(url: str) -> None:
    scheme = url.partition("://")[0]  # the rest may hold a password
    try:
        get_transport_cls(scheme)
    except (KeyError, ImportError) as error:
        raise UsageError(
            f"no broker can be reached by {scheme}://",
            cause=str(error.args[0]),
            remedy="set TRTFARM_BROKER_URL to redis://… (pip install 'trtfarm[redis]') or amqp://…, or unset it",
        ) from error


def _scheme_of(settings: Settings) -> str:
    return settings.broker_url.partition("://")[0]


def _transport_options(settings: Settings) -> dict[str, Any]:
    if _scheme_of(settings) in {"redis", "rediss"}:
        return _RECONNECT_ONCE | dict.fromkeys(_OF_REDIS, _ANSWER_SECONDS)
    if _scheme_of(settings) != "filesystem":
        return dict(_RECONNECT_ONCE)
    folders = {name: settings.home / "broker" / name for name in ("messages", "processed", "control")}
    for folder in folders.values():
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        "processed_folder": str(folders["processed"]),
        "control_folder": str(folders["control"]),
        "store_processed": False,
        "polling_interval": _POLLING_SECONDS,
    }


def _impatient_app(settings: Settings) -> Celery:
    """An app for those who only write, and do not wait for a broker that says nothing."""
    app = make_app(settings)
    app.conf.broker_connection_timeout = _ANSWER_SECONDS
    app.conf.broker_transport_options |= dict.fromkeys(_TELLING.get(_scheme_of(settings), ()), _ANSWER_SECONDS)
    return app


def broker_of(settings: Settings) -> str:
    """Where the broker is, without its password, once it has answered.

    Raises UnreachableError, and UsageError as `make_app`.
    """
    if settings.broker_url.startswith("filesystem://"):
        return "a folder in the farm's home"
    with _impatient_app(settings).connection_for_write() as connection:
        try:
            connection.ensure_connection(**_RECONNECT_ONCE)
            connection.default_channel  # noqa: B018 - Redis is only asked for its password now
        except (OSError, OperationalError, *connection.connection_errors, *connection.channel_errors) as error:
            raise UnreachableError(
                f"the broker {connection.as_uri()} does not answer",
                cause=str(error),
                remedy="see that it is up, and that TRTFARM_BROKER_URL is right; until then jobs wait some seconds",
            ) from error
        return str(connection.as_uri())


class CeleryPublisher:
    """Tells the workers that a job is queued; see `trtfarm.jobs.reconcile.Publisher`."""

    def __init__(self, settings: Settings) -> None:
        self._app = _impatient_app(settings)
        with self._app.connection_for_write() as unopened:
            self._errors = (OperationalError, OSError, *unopened.connection_errors, *unopened.channel_errors)

    def __call__(self, job: Queued) -> bool:
        try:
            queue = routing.queue_of(job.need)
            self._app.send_task(RUN_TASK, args=[job.id], queue=queue, ignore_result=True, retry=False)
        except self._errors as error:
            _log.warning("the broker took no message", job=job.id, error=str(error))
            return False
        return True
