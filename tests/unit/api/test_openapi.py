"""The OpenAPI document says what the API does: schemathesis sends what it allows, and more, and compares answers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.unit.api.conftest import served, the_app
from trtfarm.farm import Farm
from trtfarm.tokens import Scope
from trtfarm_api.service import Limits, Service

#: Requests for each route.
EXAMPLES = 4
UNLIMITED = Limits(rate=1e9, burst=1e9)


@pytest.fixture
def document(farm: Farm) -> Iterator[schemathesis.BaseSchema]:
    """The document of a server that runs beside the test."""
    server = uvicorn.Server(uvicorn.Config(served(Service(farm=farm, limits=UNLIMITED)), log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{listening.getsockname()[1]}/v1/openapi.json")
        server.should_exit = True
        thread.join()


def test_every_answer_is_as_the_document_says(document: schemathesis.BaseSchema, token_for: Callable[..., str]) -> None:
    """One test for all routes, because they share a server.

    What a document cannot say (cursors, versions, rows that are not there) may be refused.
    """
    asked, secret = [], token_for(Scope.ADMIN)
    for found in document.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        asked.append(operation.label)

        @settings(
            max_examples=EXAMPLES,
            phases=[Phase.explicit, Phase.generate],
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            case.call_and_validate(
                headers={"Authorization": f"Bearer {secret}"}, excluded_checks=[positive_data_acceptance]
            )

        holds()
    assert len(asked) > len(the_app().routes) // 2
