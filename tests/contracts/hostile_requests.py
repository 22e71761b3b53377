"""What the API owes whoever asks it anything: an answer or a refusal in the one form, whatever it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.contracts.rows import dataset_row, engine_row, model_row, table_row
from tests.fuzz.asking import answered, encoded, quoted, sendable, text, with_digits_of
from tests.fuzz.documents import altered
from tests.fuzz.mutation import mutated
from tests.fuzz.uploads import run_uploads
from tests.unit.api.conftest import served
from tests.unit.api.problems import problem
from trtfarm.blobs.location import store_at
from trtfarm.database.session import Database
from trtfarm.farm import Farm
from trtfarm.settings import Settings
from trtfarm_api.service import Limits, Service

LISTS = ("engines", "tables", "models", "datasets", "jobs", "submissions")
WORDS = ("tensorrt", "target", "precision", "calibrator", "model", "digest", "label", "name", "state", "project")
NUMBERS = ("limit", "after")
TIMES = ("since", "until")
KINDS = (
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "x",
    None,
)
#: One farm serves all examples of a test, which may find each other's rows, and must not mind; and one contract is held
#: by classes for each database. A request takes longer than a parser: half as many will do.
shared = settings(
    max_examples=(settings.default or settings()).max_examples // 2,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)


texts = st.text(max_size=300) | st.sampled_from(
    ["10.13", "sm_89", "int8", "sha256:", "%", "_", "\\", "\0", "' OR 1=1 --"]
)
times = (
    st.datetimes()
    .map(lambda moment: moment.isoformat())
    .flatmap(
        lambda moment: st.sampled_from(["", "Z", "+14:00", "-14:00", "+00:00:01", "+23:59"]).map(
            lambda zone: moment + zone
        )
    )
)
MODEL = {"name": "lenet", "blob": "sha256:" + "0" * 64, "weights": {"model.weights": "sha256:" + "1" * 64}}
DATASET = {
    "source": "digits",
    "inputs": {"data": "sha256:" + "2" * 64},
    "labels": "sha256:" + "3" * 64,
    "preprocessing": {"data": {"divide": 255.0, "mean": [0.5]}},
}
ASKED = {
    "model": "mod_1",
    "dataset": "dat_1",
    "test_dataset": "dat_1",
    "precision": "int8",
    "rule": {"calibrator": "legacy", "batch_size": 8, "quantile": 0.99, "cutoff": 1.0},
    "candidates": [{"calibrator": "minmax"}],
    "targets": [{"compute_capability": "sm_89", "toolchain": "tensorrt", "tensorrt": "8.5.3.1"}],
    "table": "tab_1",
    "max_drop": 0.01,
    "shapes": ["data=1x1x28x28:8x1x28x28:32x1x28x28"],
    "quantizer_options": {"exclude_nodes": ["/head/*"], "exclude_op_types": ["MatMul"]},
    "build_options": {"flags": ["FP16"], "dynamic_ranges": {"data": 1.0}, "io_formats": {"data": {"dtype": "fp16"}}},
    "priority": 3,
    "require_labels": ["rack=a1", "zone=b"],
    "require_gpu_memory": 1 << 30,
}
#: What the builder tells of an engine.
FACTS = {"int8_layers": 1, "layers": [], "io": [], "seconds": 1.0}
BODIES: dict[str, Any] = {
    "/v1/submissions": ASKED,
    "/v1/submissions/plan": ASKED,
    "/v1/models": MODEL,
    "/v1/datasets": DATASET,
    "/v1/tables": {"model": "mod_1", "blob": "sha256:" + "4" * 64},
    "/v1/uploads": {"digest": "sha256:" + "5" * 64, "size": 10},
    "/v1/blobs/missing": {"digests": ["sha256:" + "6" * 64]},
}


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # what fails may be long
class HostileRequestContract:
    """Run with a fixture `database`."""

    @pytest.fixture
    def farm(self, database: Database, tmp_path: Path) -> Farm:
        given = Settings.from_environment({"TRTFARM_HOME": str(tmp_path / "home")})
        farm = Farm(given, database, store_at(given.blob_url))
        with database.write() as session:
            tensor = {"name": "data", "dtype": "float32", "dims": ["N", 1, 28, 28]}
            session.add_all([model_row(inputs=[tensor]), dataset_row()])
            session.flush()
            session.add_all(
                [table_row(), *(engine_row(id=f"eng_{number}", key=f"{number}", facts=FACTS) for number in range(3))]
            )
        return farm

    @pytest.fixture
    def client(self, farm: Farm) -> Iterator[TestClient]:
        app = served(Service(farm=farm, limits=Limits(rate=1e9, burst=1e9)))
        with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as opened:
            yield opened

    @shared
    @given(
        name=st.sampled_from(LISTS),
        words=st.dictionaries(st.sampled_from(WORDS), texts, max_size=4),
        numbers=st.dictionaries(st.sampled_from(NUMBERS), st.integers().map(str) | texts, max_size=1),
        moments=st.dictionaries(st.sampled_from(TIMES), times | texts, max_size=2),
    )
    def test_filters(
        self, client: TestClient, name: str, words: dict[str, str], numbers: dict[str, str], moments: dict[str, str]
    ) -> None:
        answered(client.get(f"/v1/{name}", params=sendable(words | numbers | moments)))

    @shared
    @given(
        name=st.sampled_from(LISTS),
        cursor=st.one_of(
            st.text(max_size=400),
            altered([["engines", "0" * 16, "2026-01-01T00:00:00+00:00", "eng_1"]]).map(encoded),
        ),
        known=st.booleans(),
    )
    def test_cursors(self, client: TestClient, name: str, cursor: str, known: bool) -> None:  # noqa: FBT001 - drawn
        if known:
            cursor = with_digits_of(client.get("/v1/engines", params={"limit": 1}).json()["next"], cursor)
        answered(client.get(f"/v1/{name}", params=sendable({"cursor": cursor})))

    @shared
    @given(name=st.sampled_from(LISTS), row=texts | mutated((b"eng_1", b"sha256:")).map(text), rest=texts)
    def test_names_in_paths(self, client: TestClient, name: str, row: str, rest: str) -> None:
        row = row[:1000]  # clients refuse to send addresses of more than 64 KiB
        answered(client.get(f"/v1/{name}/{quoted(row)}"))
        answered(client.get(f"/v1/{name}/{quoted(row)}/{quoted(rest)}"))
        answered(client.get(f"/v1/{quoted(rest)}"))

    @shared
    @given(path=st.sampled_from(list(BODIES)), data=st.data())
    def test_documents(self, client: TestClient, path: str, data: st.DataObject) -> None:
        body = json.dumps(data.draw(altered([BODIES[path]])))
        answered(client.post(path, content=body.encode(), headers={"Content-Type": "application/json"}))

    @shared
    @given(path=st.sampled_from(list(BODIES)), kind=st.sampled_from(KINDS), data=st.data())
    def test_bytes_for_documents(self, client: TestClient, path: str, kind: str | None, data: st.DataObject) -> None:
        words = (b'":', b"[[[[[[[[", b'"\\ud800"', b"1e999", b"NaN", b"{", b"}")
        body = data.draw(mutated([json.dumps(BODIES[path]).encode()], words))
        answered(client.post(path, content=body, headers={} if kind is None else {"Content-Type": kind}))

    @shared
    @given(
        headers=st.dictionaries(
            st.sampled_from(
                ["Idempotency-Key", "Last-Event-ID", "Range", "If-Range", "If-None-Match", "Authorization"]
            ),
            st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)
            | st.sampled_from(["bytes=0-", "bytes=-0", "job_1:9" + "9" * 400, "Bearer x", "Basic eDp5", '"*"']),
            max_size=3,
        )
    )
    def test_headers(self, client: TestClient, headers: dict[str, str]) -> None:
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answered(client.get("/v1/engines", headers=sent))
        answered(client.get("/v1/jobs/job_none/events", headers=sent))
        answered(client.get("/v1/submissions/sub_none/events", headers=sent))
        answered(client.get("/v1/engines/eng_1/plan", headers=sent))
        answered(client.post("/v1/submissions", headers=sent, json=ASKED))

    @pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    def test_times_that_no_calendar_has(self, client: TestClient, moment: str) -> None:
        first = client.get("/v1/engines", params={"limit": 1}).json()["next"]
        problem(client.get("/v1/engines", params={"since": moment}), 422, "usage")
        problem(client.get("/v1/engines", params={"until": moment}), 422, "usage")
        cursor = with_digits_of(first, encoded(["engines", "", moment, "eng_1"]))
        problem(client.get("/v1/engines", params={"cursor": cursor}), 400, "usage")

    @pytest.mark.parametrize(
        ("path", "odd"),
        [
            ("/v1/submissions", {"build_options": {"flags": ["\ud800"]}}),
            ("/v1/submissions/plan", {"build_options": {"\ud800": 1}}),
            ("/v1/models", {"weights": {"\ud800": MODEL["blob"]}}),
            ("/v1/datasets", {"preprocessing": {"\ud800": {}}}),
            ("/v1/datasets", {"inputs": {"\ud800": MODEL["blob"]}}),
        ],
    )
    def test_halves_of_characters(self, client: TestClient, path: str, odd: dict[str, Any]) -> None:
        """JSON can write them, and Python reads them; no key, row or answer can be made of them."""
        body = json.dumps(BODIES[path] | odd).encode()
        problem(client.post(path, content=body, headers={"Content-Type": "application/json"}), 422, "usage")

    def test_uploads(self, client: TestClient, farm: Farm) -> None:
        run_uploads(client, farm)
