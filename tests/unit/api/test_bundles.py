"""Bundles over HTTP: given as a download, taken from an upload, told as they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.contracts.bundle_stock import Stock, bundle, farm_at, submitted, trusts
from tests.unit.api.conftest import ClientOf
from tests.unit.api.problems import problem
from tests.unit.api.test_administration import audited, events
from trtfarm.bundles.exporting import export_of
from trtfarm.bundles.head import head_of
from trtfarm.bundles.selection import Selection
from trtfarm.database.schema import EngineRow
from trtfarm.farm import Farm
from trtfarm.tokens import Scope

ALL = Selection(model="lenet")


@pytest.fixture(scope="module")
def giver(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    with farm_at(tmp_path_factory.mktemp("giver"), migrated) as farm:
        yield Stock(farm)


@pytest.fixture(scope="module")
def true(giver: Stock) -> bytes:
    return bundle(giver.farm, ALL)


@pytest.fixture
def served(giver: Stock, client_of: ClientOf) -> Iterator[TestClient]:
    """The server of a farm that trusts the giver."""
    with client_of(None) as opened:
        trusts(opened.app.state.service.farm, giver.farm)  # type: ignore[attr-defined]
        yield opened


def told(client: TestClient, farm: Farm, data: bytes, **options: Any) -> list[tuple[str, Any]]:
    """The events of an import of a bundle that was uploaded."""
    blob = farm.blobs.put_bytes(data).digest
    answer = client.post("/v1/bundles", json={"blob": blob, **options})
    assert answer.status_code == 200, answer.text
    return list(events(answer.text))


def test_a_bundle_is_taken_in(served: TestClient, farm: Farm, giver: Stock, true: bytes) -> None:
    [*before, planned] = told(served, farm, true, dry_run=True)
    assert planned[0] == "end"
    assert served.get("/v1/engines").json()["items"] == []
    [*_, (kind, facts)] = told(served, farm, true, labels=True)
    assert kind == "end"
    assert facts == {**planned[1], "dry_run": False}
    assert all(kind == "progress" and 0 <= data["done"] <= data["total"] for kind, data in before)
    [engine] = served.get("/v1/engines", params={"label": "prod"}).json()["items"]
    assert engine["id"] == giver.engine
    assert submitted(farm, giver.request()).hit
    [*_, again] = told(served, farm, true)
    assert (again[1]["new"], again[1]["files"]) == ({}, 0)
    counts = {"models": "1", "datasets": "2", "tables": "1", "quantizations": "2", "engines": "1"} | {
        "verifications": "1"
    }
    origin = facts["bundle"]
    assert audited(farm) == [
        ("POST /v1/bundles", 200, {"bundle": origin, "dry_run": "True", **counts}),
        ("POST /v1/bundles", 200, {"bundle": origin, "dry_run": "False", **counts}),
        ("POST /v1/bundles", 200, {"bundle": origin, "dry_run": "False"}),
    ]


def test_a_dry_run_needs_the_beginning_alone(served: TestClient, farm: Farm, true: bytes, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(true)
    head = head_of(tmp_path / "bundle", "it", lambda _done, _total: None)
    assert true.startswith(head)
    assert told(served, farm, head, dry_run=True, head=True)[-1] == told(served, farm, true, dry_run=True)[-1]
    for more in (true, head + b"x", head[:-1]):
        [*_, (kind, error)] = told(served, farm, more, dry_run=True, head=True)
        assert (kind, error["code"]) == ("error", "bad_bundle")
    problem(served.post("/v1/bundles", json={"blob": farm.blobs.put_bytes(head).digest, "head": True}), 400, "usage")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data[:-2000], "bad_bundle"),
        (lambda data: b"not a bundle", "bad_bundle"),
        (lambda data: data.replace(b'"precision":"int8+fp16"', b'"precision":"int8+fp32"'), "signature"),
    ],
)
def test_what_is_refused_leaves_nothing(
    served: TestClient, farm: Farm, true: bytes, change: Callable[[bytes], bytes], code: str
) -> None:
    [*_, (kind, error)] = told(served, farm, change(true))
    assert (kind, error["code"]) == ("error", code)
    assert error["request_id"]
    assert str(farm.settings.home) not in str(error)
    assert served.get("/v1/models").json()["items"] == []
    assert list((farm.settings.home / "scratch").iterdir()) == []


def test_a_bundle_that_was_not_uploaded_is_told(served: TestClient) -> None:
    problem(served.post("/v1/bundles", json={"blob": "sha256:" + 64 * "0"}), 404, "not_found")


def test_the_key_of_the_farm_has_to_be_trusted_by_the_server(client: TestClient, farm: Farm, true: bytes) -> None:
    [*_, (_, error)] = told(client, farm, true)
    assert error["code"] == "signature"
    assert "trtfarm keys trust" in error["remedy"]


def test_who_may_only_read_exports_and_takes_nothing_in(
    client: TestClient, client_of: ClientOf, token_for: Callable[..., str], farm: Farm
) -> None:
    stock = Stock(farm)
    reader = client_of(token_for(Scope.READ))
    assert reader.get("/v1/bundles", params={"engine": stock.engine}).status_code == 200
    blob = farm.blobs.put_bytes(b"a bundle").digest
    problem(reader.post("/v1/bundles", json={"blob": blob}), 403, "forbidden")
    problem(client_of(None).get("/v1/bundles"), 401, "unauthenticated")


def test_an_export_is_a_download_that_can_be_gone_on_with(client: TestClient, farm: Farm) -> None:
    stock = Stock(farm)
    export, whole = export_of(farm, ALL), bundle(farm, ALL)
    asked = {"engine": [stock.engine], "table": [stock.table]}
    answer = client.get("/v1/bundles", params=asked)
    tag = f'"{export.manifest.digest}"'
    assert (answer.content, answer.headers["etag"]) == (whole, tag)
    assert int(answer.headers["content-length"]) == len(whole) == export.size
    rest = client.get("/v1/bundles", params=asked, headers={"Range": "bytes=5000-", "If-Range": tag})
    assert (rest.status_code, rest.content) == (206, whole[5000:])
    assert client.get("/v1/bundles", params=asked, headers={"If-None-Match": tag}).status_code == 304
    assert client.head("/v1/bundles", params={"model": "lenet"}).headers["content-length"] == str(len(whole))
    large = client.get("/v1/bundles", params={"label": "prod", "with_models": True})
    assert large.headers["etag"] != tag
    assert len(large.content) > len(whole)


def test_what_cannot_be_exported_is_told(client: TestClient, farm: Farm) -> None:
    problem(client.get("/v1/bundles"), 400, "usage")
    problem(client.get("/v1/bundles", params={"engine": "eng_none"}), 404, "not_found")
    stock = Stock(farm)
    farm.blobs.delete(stock.row(EngineRow, stock.engine).blob)
    problem(client.get("/v1/bundles", params={"model": "lenet"}), 410, "missing_blob")
