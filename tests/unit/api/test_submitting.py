"""Submissions over HTTP are those of this machine: same keys, same checks; and they are made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from tests.conftest import REPOSITORY
from tests.contracts.rows import engine_row
from tests.unit.api.conftest import ClientOf, served
from tests.unit.api.problems import problem
from tests.unit.api.test_handing_in import blob
from tests.unit.models.samples import linear_model, saved
from tests.unit.test_build_options import EVERY
from trtfarm.blobs.location import store_at
from trtfarm.build_options import options_of
from trtfarm.calibrators import Calibrator
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.clock import from_now
from trtfarm.database.migrate import prepare
from trtfarm.database.schema import AuditRow, WorkerRow
from trtfarm.database.session import open_database
from trtfarm.errors import ModelError
from trtfarm.farm import Farm
from trtfarm.intake import add_model
from trtfarm.jobs.queries import list_jobs
from trtfarm.models.model import Model
from trtfarm.settings import Settings
from trtfarm.submissions.explain import explain
from trtfarm.targets import BuildTarget
from trtfarm.tokens import Scope
from trtfarm_api.choosing import Chosen, Wanted
from trtfarm_api.service import Service
from trtfarm_worker.order import Order
from trtfarm_worker.orders import take
from trtfarm_worker.stock import FarmStock
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind

DIGITS = REPOSITORY / "calib_data" / "mnist"
RTX = {"toolchain": "tensorrt-rtx", "tensorrt": "1.7.1.116"}
NATIVE = {"toolchain": "tensorrt", "tensorrt": "8.5.3.1"}
TOOLCHAIN = Toolchain(
    name="tensorrt-rtx-1.7.1.116",
    kind=ToolchainKind.TENSORRT_RTX,
    python=Path("/nowhere/python"),
    version="1.7.1.116",
    capabilities=Capabilities(
        compute_capabilities=(ComputeCapability(8, 6), ComputeCapability(8, 9)), precisions=("int8", "fp32")
    ),
)


@pytest.fixture
def asked(client: TestClient, farm: Farm) -> dict[str, Any]:
    """What to ask for, with LeNet and its digits handed in."""
    model = client.post("/v1/models", json={"name": "lenet", "blob": blob(farm, DIGITS / "lenet.onnx")}).json()["id"]
    digits = {"source": "digits", "inputs": {"data": blob(farm, DIGITS / "data.npy")}}
    test = {
        "source": "test",
        "inputs": {"data": blob(farm, DIGITS / "test" / "data.npy")},
        "labels": blob(farm, DIGITS / "test" / "labels.npy"),
    }
    dataset, test_dataset = (client.post("/v1/datasets", json=body).json()["id"] for body in (digits, test))
    return {
        "model": model,
        "dataset": dataset,
        "test_dataset": test_dataset,
        "rule": {"calibrator": "entropy2"},
        "targets": [{"compute_capability": "sm_89", **RTX}, {"compute_capability": "8.6", **RTX}],
    }


def keys_on_this_machine(folder: Path, order: Order) -> list[tuple[str, str | None]]:
    """The keys of the steps that submitting files gives, in a farm of its own."""
    settings = Settings.from_environment({"TRTFARM_HOME": str(folder)})
    database = open_database(settings.database_url)
    prepare(database)
    with Farm(settings, database, store_at(settings.blob_url)) as farm:
        model = Model.read(order.model)
        add_model(farm, model)  # or it would be looked at by a builder first
        request = take(
            FarmStock(farm), order, model, [TOOLCHAIN], tell=lambda _line: None, listener=lambda _event: None
        )
        with database.read() as session:
            return [(step.step, step.key) for step in explain(session, request, farm.complete)]


@pytest.mark.parametrize(
    ("order", "more"),
    [
        ({"calibrator": Calibrator.ENTROPY2}, {}),
        ({"calibrator": Calibrator.ENTROPY2, "shards": 3}, {"shards": 3}),
        ({"max_drop": 0.01, "batch_size": 7}, {"rule": {"batch_size": 7}, "max_drop": 0.01}),
        (
            {"calibrator": Calibrator.PERCENTILE, "shapes": ["1:4:9"], "exclude_op_types": ["Softmax"]},
            {
                "rule": {"calibrator": "percentile"},
                "shapes": ["data=1:4:9"],
                "quantizer_options": {"exclude_op_types": ["Softmax"]},
            },
        ),
    ],
)
def test_the_same_words_give_the_same_keys(
    client: TestClient, asked: dict[str, Any], tmp_path: Path, order: dict[str, Any], more: dict[str, Any]
) -> None:
    here = Order(
        model=DIGITS / "lenet.onnx",
        data=[str(DIGITS)],
        targets=[ComputeCapability(8, 9), ComputeCapability(8, 6)],
        **order,
    )
    planned = client.post("/v1/submissions/plan", json={**asked, **more})
    assert planned.status_code == 200, planned.text
    keys = [(step["step"], step["key"]) for step in planned.json()["steps"]]
    assert keys == keys_on_this_machine(tmp_path / "here", here)
    assert keys[0][1] is not None


def test_a_submission_is_made_and_its_jobs_are_told_of(
    client: TestClient, asked: dict[str, Any], farm: Farm, announced: list[str]
) -> None:
    made = client.post("/v1/submissions", json=asked)
    assert made.status_code == 201, made.text
    found = made.json()
    assert made.headers["Location"] == f"/v1/submissions/{found['id']}"
    assert (found["state"], found["project"], found["created_by"]) == ("active", "default", None)
    assert [step["name"] for step in found["steps"]][:2] == ["calibrate", "quantize"]
    (job,) = list_jobs(farm.database)
    assert announced == [job.id] == [found["steps"][0]["job_id"]]
    assert client.get(f"/v1/submissions/{found['id']}").json() == found
    (listed,) = client.get("/v1/submissions").json()["items"]
    assert (listed["model"], listed["targets"][0]) == ("lenet", "sm_89 tensorrt-rtx-1.7.1.116")


def test_every_builder_option_reaches_the_job(client: TestClient, asked: dict[str, Any], farm: Farm) -> None:
    names = set(EVERY) - {"strongly_typed"}  # TensorRT 8.5 has no such networks
    options = options_of([f"{name}={EVERY[name]}" for name in names], None, None) | {"dynamic_ranges": {"data": 1.0}}
    target = {"compute_capability": "sm_90", "toolchain": "tensorrt", "tensorrt": "8.5.3.1"}
    given = {"model": asked["model"], "targets": [target], "precision": "int8", "build_options": options}
    assert client.post("/v1/submissions", json=given).status_code == 201
    (job,) = list_jobs(farm.database)
    assert (job.kind, job.request["options"]) == ("build", options)


def test_the_same_under_a_key_is_made_once(client: TestClient, asked: dict[str, Any], farm: Farm) -> None:
    headers = {"Idempotency-Key": "once"}
    one, again = (client.post("/v1/submissions", json=asked, headers=headers) for _ in range(2))
    assert (one.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == one.json()["id"]
    other = client.post("/v1/submissions", json={**asked, "explicit": True}, headers=headers)
    assert one.json()["id"] in problem(other, 409, "conflict")["message"]
    assert client.post("/v1/submissions", json=asked).json()["id"] != one.json()["id"]
    assert len(client.get("/v1/submissions").json()["items"]) == 2


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"model": "mod_none"}, 404, "not_found"),
        ({"dataset": "dat_none"}, 404, "not_found"),
        ({"precision": "int3"}, 400, "usage"),
        ({"precision": "int3", "targets": [{"compute_capability": "sm_89"}]}, 400, "usage"),
        ({"targets": []}, 422, "usage"),
        ({"targets": [{"compute_capability": "hopper", **RTX}]}, 400, "usage"),
        ({"targets": [{"compute_capability": "sm_89", "toolchain": "tensorrt-rtx", "tensorrt": "1.7"}]}, 400, "usage"),
        ({"targets": [{"compute_capability": "sm_89"}]}, 409, "no_toolchain"),
        ({"rule": {"calibrator": "minmax", "quantile": 0.5}}, 400, "usage"),
        ({"rule": {"batch_size": 501}}, 422, "bad_data"),
        ({"shards": 0}, 422, "usage"),
        ({"shards": 11}, 400, "usage"),
        ({"shards": 2, "calibrate_on": {"compute_capability": "sm_90", **NATIVE}}, 400, "usage"),
        ({"rule": {"calibrator": "legacy", "before_fusion": False}}, 400, "usage"),
        ({"rule": None}, 400, "usage"),
        ({"dataset": None}, 422, "bad_data"),
        ({"max_drop": 2}, 400, "usage"),
        ({"max_drop": "NaN"}, 422, "usage"),
        ({"shapes": ["data=0"]}, 400, "usage"),
        ({"build_options": {"nothing": 1}}, 400, "usage"),
        ({"build_options": {"workspace_bytes": "x"}}, 400, "usage"),
        ({"require_labels": ["rack"]}, 400, "usage"),
        ({"require_labels": ["rack=a1", "rack=a2"]}, 400, "usage"),
        ({"require_labels": ["rack=a1"]}, 409, "no_worker"),
        ({"require_gpu_memory": 1 << 30}, 400, "usage"),
        ({"require_gpu_memory": -1}, 422, "usage"),
        ({"typo": 1}, 422, "usage"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_made(
    client: TestClient, asked: dict[str, Any], more: dict[str, Any], status: int, code: str
) -> None:
    for path in ("/v1/submissions/plan", "/v1/submissions"):
        assert problem(client.post(path, json={**asked, **more}), status, code)["remedy"]
    assert client.get("/v1/submissions").json()["items"] == []
    assert client.get("/v1/jobs").json()["items"] == []


def test_an_input_that_is_an_output_is_told_before_anything_is_made(
    client: TestClient, asked: dict[str, Any], farm: Farm, tmp_path: Path
) -> None:
    model = linear_model()
    model.graph.output.append(model.graph.input[0])
    path = saved(model, tmp_path / "given_back.onnx")
    model_id = client.post("/v1/models", json={"name": "given_back", "blob": blob(farm, path)}).json()["id"]
    told = problem(client.post("/v1/submissions", json={**asked, "model": model_id}), 422, "bad_model")
    assert "'x' is an input of the model and an output as well" in told["message"]
    with pytest.raises(ModelError, match="'x' is an input") as caught:
        keys_on_this_machine(tmp_path / "here", Order(model=path, targets=[ComputeCapability(8, 9)]))
    assert "Identity" in str(caught.value.remedy)


def test_a_plan_tells_who_could_do_it_and_jobs_go_nowhere_else(
    client: TestClient, farm: Farm, asked: dict[str, Any]
) -> None:
    facts = {"host": "h", "pid": 1, "toolchains": [], "slots": 1, "lease_until": from_now(60), "state": "ready"}
    facts["capabilities"] = ["cpu", "tensorrt-rtx-1.7.1.116"]
    with farm.database.write() as session:
        for name, labels in (("wrk_a", ["rack=a1", "zone=b"]), ("wrk_b", [])):
            session.add(WorkerRow(id=name, labels=labels, **facts))
    wish = {**asked, "require_labels": ["zone=b", "rack=a1"]}
    steps = {step["step"]: step for step in client.post("/v1/submissions/plan", json=wish).json()["steps"]}
    kind = {"labels": ["rack=a1", "zone=b"], "gpu_memory_gib": 0}
    assert steps["calibrate"]["needs"] == {"capability": "cpu", **kind}
    assert {tuple(step["workers"]) for step in steps.values()} == {("wrk_a",)}
    assert {step["waits"] for step in steps.values()} == {None}
    client.post("/v1/submissions", json=wish)
    [job] = client.get("/v1/jobs").json()["items"]
    assert job["requires"] == kind
    demands = {(*one["labels"],): (one["queued"], one["slots"]) for one in client.get("/v1/demand").json()["items"]}
    assert demands[("rack=a1", "zone=b")] == (1, 1)
    problem_found = problem(
        client.post("/v1/submissions", json={**asked, "require_labels": ["rack=a1", "zone=c"]}), 409, "no_worker"
    )
    assert problem_found["message"] == "no worker can take what needs cpu with rack=a1 and zone=c"
    assert "wrk_a of h has no zone=c (its labels: rack=a1, zone=b)" in problem_found["cause"]
    assert "trtfarm worker --label rack=a1 --label zone=c" in problem_found["remedy"]


def test_a_toolchain_is_chosen_where_none_is_named(farm: Farm, asked: dict[str, Any]) -> None:
    heard: list[Wanted] = []

    def choose(wanted: Wanted) -> Chosen:
        heard.append(wanted)
        return Chosen(target=BuildTarget(compute_capability=str(wanted.compute_capability), **RTX))

    app = served(Service(farm=farm, choose=choose))
    with TestClient(app, "http://127.0.0.1") as client:
        target = {"compute_capability": "8.9", "tensorrt": "1.7"}
        made = client.post("/v1/submissions", json={**asked, "targets": [target]}).json()
    assert made["request"]["targets"] == [{"compute_capability": "sm_89", **RTX}]
    assert [(str(wanted.tensorrt), wanted.precision) for wanted in heard] == [("1.7", "int8")]


def test_jobs_are_cancelled_and_tried_again(client: TestClient, asked: dict[str, Any], announced: list[str]) -> None:
    submission = client.post("/v1/submissions", json=asked).json()
    job = submission["steps"][0]["job_id"]
    assert client.post(f"/v1/jobs/{job}/cancel").json()["job"]["state"] == "cancelled"
    assert client.get(f"/v1/submissions/{submission['id']}").json()["state"] == "cancelled"
    retried = client.post(f"/v1/jobs/{job}/retry").json()
    assert (retried["job"]["state"], retried["submissions"]) == ("queued", [submission["id"]])
    assert announced == [job, job]
    problem(client.post(f"/v1/jobs/{job}/retry"), 400, "usage")


def test_engines_are_pinned_labelled_and_removed(client: TestClient, asked: dict[str, Any], farm: Farm) -> None:
    with farm.database.write() as session:
        session.add(engine_row(model_id=asked["model"], facts={"int8_layers": 0, "layers": [], "io": [], "seconds": 1}))
    assert client.put("/v1/engines/eng_1/pin").status_code == 204
    assert client.get("/v1/engines/eng_1").json()["pinned"] is True
    problem(client.delete("/v1/engines/eng_1"), 400, "usage")
    assert client.delete("/v1/engines/eng_1/pin").status_code == 204
    for label in ("prod", "2026.1"):
        assert client.put(f"/v1/engines/eng_1/labels/{label}").status_code == 204
    problem(client.put("/v1/engines/eng_1/labels/.hidden"), 400, "usage")
    (found,) = client.get("/v1/engines", params={"label": "prod"}).json()["items"]
    assert found["labels"] == ["2026.1", "prod"]
    problem(client.delete("/v1/engines/eng_1"), 400, "usage")
    for label in ("prod", "2026.1"):
        assert client.delete(f"/v1/engines/eng_1/labels/{label}").status_code == 204
    problem(client.delete("/v1/engines/eng_1/labels/prod"), 404, "not_found")
    assert client.get("/v1/engines", params={"label": "prod"}).json()["items"] == []
    problem(client.get("/v1/engines/eng_1/signature"), 404, "not_found")
    assert client.delete("/v1/engines/eng_1").status_code == 204
    problem(client.get("/v1/engines/eng_1"), 404, "not_found")


def test_changes_are_in_the_audit_log(
    client: TestClient, asked: dict[str, Any], farm: Farm, client_of: ClientOf, token_for: Callable[..., str]
) -> None:
    reader = client_of(token_for(Scope.READ, project="vision"))
    problem(reader.delete("/v1/engines/eng_1", headers={"X-Request-ID": "why"}), 403, "forbidden")
    problem(client.delete("/v1/engines/eng_1"), 401, "unauthenticated")
    reader.get("/v1/engines")
    with farm.database.read() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.id)).all()
    made = [(row.actor, row.action, row.status, list(row.facts)) for row in rows[:3]]
    assert made == [
        ("local", "POST /v1/models", 201, ["model"]),
        ("local", "POST /v1/datasets", 201, ["dataset"]),
        ("local", "POST /v1/datasets", 201, ["dataset"]),
    ]
    (refused,) = rows[3:]
    assert refused.actor.startswith("tok_")
    assert (refused.project, refused.status, refused.request_id) == ("vision", 403, "why")
