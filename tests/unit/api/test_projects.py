"""What one project sees of another: nothing, but for work that both asked for, which each sees as its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.contracts.submission_bench import Bench
from tests.unit.api.conftest import ClientOf
from tests.unit.api.problems import problem
from tests.unit.api.test_handing_in import blob
from tests.unit.api.test_submitting import DIGITS, RTX
from trtfarm.catalog.labels import label_engine
from trtfarm.digests import digest_of_bytes
from trtfarm.farm import Farm
from trtfarm.tokens import Scope

_FILES = {"model": DIGITS / "lenet.onnx", "data": DIGITS / "data.npy"}


class Team:
    """One of the projects, by its client; `found` is what it handed in and submitted."""

    def __init__(self, client: TestClient, name: str, farm: Farm) -> None:
        self.client = client
        self.name = name
        self.farm = farm

    def upload(self, digest: str, data: bytes) -> None:
        made = self.client.post("/v1/uploads", json={"digest": digest, "size": len(data)}).json()["id"]
        span = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
        assert self.client.patch(f"/v1/uploads/{made}", content=data, headers=span).status_code == 202
        assert self.client.post(f"/v1/uploads/{made}/finish").status_code == 201

    def hand_in(self) -> dict[str, Any]:
        """LeNet and its digits; what to ask for with them."""
        digests = {}
        for name, path in _FILES.items():
            data = path.read_bytes()
            digests[name] = digest_of_bytes(data)
            if self.client.post("/v1/blobs/missing", json={"digests": [digests[name]]}).json()["missing"]:
                self.upload(digests[name], data)
        model = self.client.post("/v1/models", json={"name": self.name, "blob": digests["model"]})
        data_set = self.client.post("/v1/datasets", json={"source": self.name, "inputs": {"data": digests["data"]}})
        target = {"compute_capability": "sm_89", **RTX}
        words = {"model": model.json()["id"], "dataset": data_set.json()["id"]}
        return {**words, "rule": {"calibrator": "minmax"}, "targets": [target]}

    def submit(self, asked: dict[str, Any]) -> dict[str, Any]:
        made = self.client.post("/v1/submissions", json=asked)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found


@pytest.fixture
def team(client: TestClient, token_for: Callable[..., str], farm: Farm) -> Callable[[str], Team]:
    """Clients of the app that `client` has started."""

    def made(name: str) -> Team:
        headers = {"Authorization": f"Bearer {token_for(Scope.SUBMIT, project=name)}"}
        opened = TestClient(client.app, "http://127.0.0.1", headers=headers, raise_server_exceptions=False)
        return Team(opened, name, farm)

    return made


@pytest.fixture
def theirs(team: Callable[[str], Team]) -> tuple[Team, dict[str, Any], set[str]]:
    """Another project whose submission is done; what it asked for, and all words by which its things are known."""
    other = team("theirs")
    asked = other.hand_in()
    submission = other.submit(asked)
    bench = Bench(other.farm.database, other.farm.settings.home)
    bench.do_all()
    facts = other.client.get(f"/v1/submissions/{submission['id']}/facts").json()
    (engine,) = facts["engines"]
    label_engine(other.farm.database, engine["id"], "secret", "theirs")
    jobs = [step["job"] for step in facts["steps"]]
    words = {submission["id"], asked["model"], asked["dataset"], facts["table"]["id"], engine["id"], *jobs}
    words |= {facts["model"]["digest"], facts["table"]["digest"], engine["digest"], "secret", "theirs"}
    return other, asked, words


def test_no_route_tells_anything_of_another_project(
    theirs: tuple[Team, dict[str, Any], set[str]], team: Callable[[str], Team]
) -> None:
    """Every route that reads, with every word of the others in the place of each of its parameters."""
    _, _, words = theirs
    mine = team("mine").client
    paths = mine.get("/v1/openapi.json").json()["paths"]
    asked = 0
    for path, ways in paths.items():
        if "get" not in ways or path == "/v1/openapi.json":
            continue
        for word in sorted(words) if "{" in path else [""]:
            where = "/".join(word if part.startswith("{") else part for part in path.split("/"))
            answered = mine.get(where)
            asked += 1
            told = answered.text.replace(word, "") if word else answered.text
            assert not [known for known in words if known in told], (where, answered.text[:300])
            if "{" in path:
                assert answered.status_code in {404, 410, 422}, (where, answered.text[:300])
    assert asked > 100


def test_nor_does_a_search_by_what_one_has_heard_of(
    theirs: tuple[Team, dict[str, Any], set[str]], team: Callable[[str], Team]
) -> None:
    other, asked, _ = theirs
    mine = team("mine").client
    searches = [
        ("engines", {"label": "secret"}),
        ("engines", {"model": asked["model"]}),
        ("tables", {"model": asked["model"]}),
        ("models", {"name": "theirs"}),
        ("submissions", {"project": "theirs"}),
        ("jobs", {"state": "done"}),
    ]
    for what, words in searches:
        assert other.client.get(f"/v1/{what}", params=words).json()["items"], what
        assert mine.get(f"/v1/{what}", params=words).json()["items"] == []


def test_what_is_not_seen_cannot_be_used_or_changed(
    theirs: tuple[Team, dict[str, Any], set[str]], team: Callable[[str], Team]
) -> None:
    other, asked, _ = theirs
    mine = team("mine").client
    (engine,) = other.client.get("/v1/engines").json()["items"]
    problem(mine.post("/v1/submissions", json=asked), 404, "not_found")
    problem(mine.post("/v1/submissions/plan", json=asked), 404, "not_found")
    problem(mine.put(f"/v1/engines/{engine['id']}/pin"), 404, "not_found")
    problem(mine.put(f"/v1/engines/{engine['id']}/labels/mine"), 404, "not_found")
    problem(mine.delete(f"/v1/engines/{engine['id']}/labels/secret"), 404, "not_found")
    problem(mine.get("/v1/bundles", params={"engine": engine["id"]}), 404, "not_found")
    for job in other.client.get("/v1/jobs").json()["items"]:
        problem(mine.post(f"/v1/jobs/{job['id']}/cancel"), 404, "not_found")
        problem(mine.post(f"/v1/jobs/{job['id']}/retry"), 404, "not_found")


def test_a_digest_is_no_key(theirs: tuple[Team, dict[str, Any], set[str]], team: Callable[[str], Team]) -> None:
    """Who knows the digest of a model has not got the model; who has it uploads it, and it is stored once."""
    _, asked, _ = theirs
    mine = team("mine")
    data = _FILES["model"].read_bytes()
    digest = digest_of_bytes(data)
    problem(mine.client.get(f"/v1/blobs/{digest}"), 404, "not_found")
    problem(mine.client.post("/v1/models", json={"name": "stolen", "blob": digest}), 404, "not_found")
    assert mine.client.post("/v1/blobs/missing", json={"digests": [digest]}).json() == {"missing": [digest]}
    problem(mine.client.post("/v1/models", json={"name": "stolen", "blob": digest}), 404, "not_found")
    mine.upload(digest, data)
    assert mine.client.post("/v1/blobs/missing", json={"digests": [digest]}).json() == {"missing": []}
    assert mine.client.get(f"/v1/blobs/{digest}").content == data
    assert mine.client.post("/v1/models", json={"name": "mine", "blob": digest}).json()["id"] == asked["model"]


def test_who_hands_in_and_asks_the_same_sees_the_same(
    theirs: tuple[Team, dict[str, Any], set[str]], team: Callable[[str], Team]
) -> None:
    other, asked, _ = theirs
    mine = team("mine")
    assert mine.hand_in() == asked
    submission = mine.submit(asked)
    assert (submission["state"], submission["hit"], submission["project"]) == ("done", True, "mine")
    (engine,) = mine.client.get("/v1/engines").json()["items"]
    assert engine["labels"] == []
    assert mine.client.put(f"/v1/engines/{engine['id']}/labels/secret").status_code == 204
    assert mine.client.delete(f"/v1/engines/{engine['id']}/labels/secret").status_code == 204
    assert other.client.get(f"/v1/engines/{engine['id']}").json()["labels"] == ["secret"]
    assert mine.client.get(f"/v1/engines/{engine['id']}/plan").status_code == 200
    assert len(mine.client.get("/v1/tables").json()["items"]) == 1
    # Nothing had to be done for it, so that it has no jobs.
    assert mine.client.get("/v1/jobs").json()["items"] == []


def test_a_job_that_two_wait_for_is_each_ones_own(team: Callable[[str], Team]) -> None:
    first, second = team("first"), team("second")
    submissions = [one.submit(one.hand_in()) for one in (first, second)]
    job = submissions[0]["steps"][0]["job_id"]
    assert submissions[1]["steps"][0]["job_id"] == job
    for one in (first, second):
        assert one.client.get(f"/v1/jobs/{job}").json()["job"]["project"] == one.name
        assert [found["project"] for found in one.client.get("/v1/jobs").json()["items"]] == [one.name]
        assert one.client.get(f"/v1/jobs/{job}/events").json()["items"]
        problem(one.client.post(f"/v1/jobs/{job}/cancel"), 403, "forbidden")
    gone = first.client.post(f"/v1/submissions/{submissions[0]['id']}/cancel").json()
    assert (gone["submission"]["state"], gone["left"]) == ("cancelled", [job])
    problem(second.client.post(f"/v1/submissions/{submissions[0]['id']}/cancel"), 404, "not_found")
    assert second.client.post(f"/v1/jobs/{job}/cancel").json()["job"]["state"] == "cancelled"


def test_admins_and_users_of_this_machine_see_everything(
    theirs: tuple[Team, dict[str, Any], set[str]], client_of: ClientOf, token_for: Callable[..., str]
) -> None:
    other, _, _ = theirs
    admin = client_of(token_for(Scope.ADMIN, project="another"))
    for what in ("engines", "tables", "models", "jobs", "submissions"):
        assert admin.get(f"/v1/{what}").json() == other.client.get(f"/v1/{what}").json(), what


def test_an_idempotency_key_is_a_projects_own(team: Callable[[str], Team]) -> None:
    headers = {"Idempotency-Key": "once"}
    made = [
        one.client.post("/v1/submissions", json=one.hand_in(), headers=headers).json()
        for one in (team("first"), team("second"))
    ]
    assert made[0]["id"] != made[1]["id"]
    assert made[0]["created_by"].startswith("tok_")


def test_what_this_machine_handed_in_belongs_to_the_default_project(
    client: TestClient, farm: Farm, team: Callable[[str], Team]
) -> None:
    model = client.post("/v1/models", json={"name": "lenet", "blob": blob(farm, _FILES["model"])}).json()["id"]
    assert team("default").client.get(f"/v1/models/{model}").json()["name"] == "lenet"
    problem(team("other").client.get(f"/v1/models/{model}"), 404, "not_found")
