"""The brokers of a team: the real ones, with PostgreSQL and S3 beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.contracts.brokers import BrokerContract
from tests.integration.servers.rabbitmq_server import RabbitMqServer
from tests.integration.servers.redis_server import RedisServer


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with TemporaryDirectory(prefix="trtfarm-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.close()


@pytest.fixture(scope="module")
def rabbitmq_server() -> Iterator[RabbitMqServer]:
    with TemporaryDirectory(prefix="trtfarm-rabbitmq-") as folder:
        server = RabbitMqServer(Path(folder))
        server.start()
        yield server
        server.close()


class TestRedis(BrokerContract):
    @pytest.fixture
    def broker(self, redis_server: RedisServer) -> RedisServer:
        redis_server.empty()
        return redis_server


class TestRabbitMq(BrokerContract):
    @pytest.fixture
    def broker(self, rabbitmq_server: RabbitMqServer) -> RabbitMqServer:
        rabbitmq_server.empty()
        return rabbitmq_server
