"""What goes into the keys of steps that read files: all bytes of them, and nothing else."""

from __future__ import annotations

import pytest

from tests.contracts.rows import model_row, quantization_row, table_row
from tests.contracts.submission_bench import target
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.planning import plan
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.resolve import resolve

FILE = digest_of_json("what was made of both models")
RESULTS = {name: {"quantization_id": f"qnt_{name}"} for name in ("one", "other")}


@pytest.fixture
def keys(database: Database, request: pytest.FixtureRequest) -> list[str]:
    """Keys of the builds from two models, of which the same file was made, with these weights beside the models."""
    one, other = request.param
    found = []
    for name, weights in (("one", one), ("other", other)):
        with database.write() as session:
            session.add(model_row(id=name, digest=digest_of_json(name), weights_blob=weights))
            session.flush()
            session.add(table_row(id=f"tab_{name}", model_id=name))
            session.flush()
            row = quantization_row(id=f"qnt_{name}", model_id=name, table_id=f"tab_{name}", blob=FILE)
            row.key = digest_of_json(row.id)
            session.add(row)
        wanted = SubmissionRequest(
            model_id=name, precision="int8+fp16", table_id=f"tab_{name}", targets=(target("sm_86"),)
        )
        with database.read() as session:
            needed = {need: RESULTS[name] for step in plan(wanted) for need in step.needs}
            found += [resolve(session, wanted, step, needed).action.key for step in plan(wanted)[1:]]
    return found


@pytest.mark.parametrize("keys", [(None, None), (FILE, FILE)], indirect=True)
def test_equal_files_are_converted_and_built_once(keys: list[str]) -> None:
    assert keys[:2] == keys[2:]


@pytest.mark.parametrize("keys", [(FILE, digest_of_json("other weights"))], indirect=True)
def test_weights_that_stayed_beside_the_model_belong_to_the_file(keys: list[str]) -> None:
    """The file names them by offset and length, so two models that differ in them alone give the same file."""
    assert len(set(keys)) == len(keys) == 4
