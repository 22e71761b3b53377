"""What the API promises that depends on the database: pages, submissions made once, streams, tokens."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.contracts.rows import engine_row
from tests.contracts.submission_bench import Bench
from tests.unit.api.conftest import served
from tests.unit.api.test_events import meanwhile, streamed
from trtfarm.database.schema import AuditRow, ModelRow
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_bytes
from trtfarm.jobs.queries import list_jobs
from trtfarm.tokens import Scope, create_token, revoke_token
from trtfarm_api.service import Service

DATA = b"some bytes" * 1000
#: A moment that has microseconds, of which databases and JSON must lose none.
MOMENT = datetime(2026, 1, 1, 12, 0, 0, 123457, UTC)


class ApiContract:
    """Run with a fixture `database`."""

    @pytest.fixture
    def bench(self, database: Database, tmp_path: Path) -> Bench:
        return Bench(database, tmp_path / "bench")

    @pytest.fixture
    def client(self, bench: Bench) -> Iterator[TestClient]:
        app = served(Service(farm=bench.farm))
        with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as opened:
            yield opened

    @pytest.fixture
    def asked(self, bench: Bench) -> dict[str, Any]:
        model = bench.model()
        with bench.farm.database.write() as session:
            tensor = {"name": "data", "dtype": "float32", "dims": ["N", 1, 28, 28]}
            session.get_one(ModelRow, model).inputs = [tensor]
        target = {"compute_capability": "sm_89", "toolchain": "tensorrt-rtx", "tensorrt": "1.7.1.116"}
        return {"model": model, "precision": "fp32", "targets": [target]}

    @pytest.mark.parametrize("limit", [1, 3, 7])
    def test_pages_have_every_row_once(self, client: TestClient, bench: Bench, limit: int) -> None:
        model = bench.model()
        with bench.farm.database.write() as session:
            for number in range(7):
                created = MOMENT + timedelta(microseconds=number // 3)
                session.add(engine_row(id=f"eng_{number}", model_id=model, created=created))
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = client.get("/v1/engines", params={"limit": limit, **({"cursor": cursor} if cursor else {})}).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == [f"eng_{number}" for number in reversed(range(7))]

    def test_times_select_to_the_microsecond(self, client: TestClient, bench: Bench) -> None:
        model = bench.model()
        with bench.farm.database.write() as session:
            session.add(engine_row(id="eng_1", model_id=model, created=MOMENT))
        for name, moment, found in (
            ("since", MOMENT, 1),
            ("since", MOMENT + timedelta(microseconds=1), 0),
            ("until", MOMENT, 0),
            ("until", MOMENT + timedelta(microseconds=1), 1),
        ):
            assert len(client.get("/v1/engines", params={name: moment.isoformat()}).json()["items"]) == found

    def test_sent_by_many_at_once_under_a_key_it_is_made_once(
        self, client: TestClient, bench: Bench, asked: dict[str, Any]
    ) -> None:
        def send(_number: int) -> Any:
            return client.post("/v1/submissions", json=asked, headers={"Idempotency-Key": "once"})

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(send, range(8)))
        assert sorted(answer.status_code for answer in answers)[-1] in {200, 201}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(list_jobs(bench.farm.database)) == 1

    def test_a_submission_is_followed_to_its_end(self, client: TestClient, bench: Bench, asked: dict[str, Any]) -> None:
        submission = client.post("/v1/submissions", json=asked).json()["id"]
        events = meanwhile(bench.do_all, lambda: streamed(client, f"/v1/submissions/{submission}/events"))
        assert (events[-1].kind, events[-1].data["state"]) == ("end", "done")
        states = [event.data["data"]["to"] for event in events if event.kind == "job"]
        assert states == ["queued", "running", "done"]

    def test_an_upload_is_stored_and_noted(self, client: TestClient, bench: Bench) -> None:
        digest = digest_of_bytes(DATA)
        upload = client.post("/v1/uploads", json={"digest": digest, "size": len(DATA)}).json()["id"]
        headers = {"Content-Range": f"bytes 0-{len(DATA) - 1}/*"}
        assert client.patch(f"/v1/uploads/{upload}", content=DATA, headers=headers).status_code == 202
        assert client.post(f"/v1/uploads/{upload}/finish").status_code == 201
        assert client.post("/v1/blobs/missing", json={"digests": [digest]}).json()["missing"] == []
        assert bench.farm.uploads.sweep() == 0
        with bench.farm.database.read() as session:
            assert [row.action for row in session.query(AuditRow).order_by(AuditRow.id)] == [
                "POST /v1/uploads",
                f"POST /v1/uploads/{upload}/finish",
            ]
        log = client.get("/v1/audit", params={"what": "/UPLOADS"}).json()
        assert [entry["status"] for entry in log["items"]] == [201, 201]

    def test_a_token_opens_until_it_is_revoked(self, client: TestClient, bench: Bench) -> None:
        database = bench.farm.database
        kept = create_token(database, name="kept", scopes=[Scope.READ], days=1)[0]
        secret, token = create_token(database, name="ci", scopes=[Scope.READ])

        def status(one: str) -> int:
            return client.get("/v1/whoami", headers={"Authorization": f"Bearer {one}"}).status_code

        assert status(secret) == 200
        revoke_token(database, token.id)
        assert (status(secret), status(kept)) == (401, 200)

    def test_demand_is_told_by_capability(self, client: TestClient, asked: dict[str, Any]) -> None:
        client.post("/v1/submissions", json=asked)
        (found,) = client.get("/v1/demand").json()["items"]
        assert (found["capability"], found["queued"], found["running"]) == ("tensorrt-rtx-1.7.1.116", 1, 0)
        assert 0 <= found["oldest_wait"] < 60
