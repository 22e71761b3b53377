"""Rows with every column filled, for tests that care about one or two of them."""

from __future__ import annotations

from typing import Any

from trtfarm.database.schema import DatasetRow, EngineRow, JobRow, ModelRow, QuantizationRow, TableRow, VerificationRow
from trtfarm.digests import digest_of_json
from trtfarm.farm import Farm
from trtfarm.jobs.state import JobState
from trtfarm.origins import TableOrigin


def model_row(**values: Any) -> ModelRow:
    name = values.get("name", "lenet")
    digests = {
        column: digest_of_json([name, column]) for column in ("digest", "graph_digest", "weights_digest", "blob")
    }
    facts = {"id": "mod_1", "name": name, "inputs": [], "outputs": [], "nodes": 12, "size": 1000}
    return ModelRow(**{**facts, **digests, **values})


def dataset_row(**values: Any) -> DatasetRow:
    array = {"blob": digest_of_json("array"), "dtype": "float32", "shape": [500, 1, 28, 28]}
    facts = {"id": "dat_1", "name": "digits", "digest": digest_of_json("digits"), "samples": 500}
    return DatasetRow(**{**facts, "inputs": {"data": array}, **values})


def table_row(**values: Any) -> TableRow:
    table_id = values.get("id", "tab_1")
    digests = {column: digest_of_json([table_id, column]) for column in ("key", "blob", "scales_digest")}
    facts = {
        "id": table_id,
        "model_id": "mod_1",
        "calibrator": "entropy2",
        "rule": {},
        "batch_size": 50,
        "before_fusion": True,
        "tensorrt": "8.5.3",
        "origin": TableOrigin.REFERENCE,
        "portable": True,
        "scales": {"data": "3c010204"},
        "tensors": 1,
    }
    return TableRow(**{**facts, **digests, **values})


def quantization_row(**values: Any) -> QuantizationRow:
    digests = {column: digest_of_json(["quantization", column]) for column in ("key", "blob")}
    facts = {"id": "qnt_1", "model_id": "mod_1", "table_id": "tab_1", "options": {}, "facts": {}}
    return QuantizationRow(**{**facts, **digests, **values})


def verification_row(**values: Any) -> VerificationRow:
    verification_id = values.get("id", "ver_1")
    names = {"model_id": "mod_1", "quantization_id": "qnt_1", "dataset_id": "dat_1"}
    facts = {"id": verification_id, "key": digest_of_json(verification_id), "simulated": True, "metrics": {}}
    return VerificationRow(**{**facts, **names, **values})


def engine_row(**values: Any) -> EngineRow:
    engine_id = values.get("id", "eng_1")
    digests = {column: digest_of_json([engine_id, column]) for column in ("key", "blob", "log_blob")}
    facts = {
        "id": engine_id,
        "model_id": "mod_1",
        "precision": "int8",
        "calibrator": "entropy2",
        "tensorrt": "10.13.3.9",
        "toolchain": "tensorrt-10.13.3.9",
        "compute_capability": "sm_89",
        "profiles": {},
        "options": {},
        "size": 5000,
        "facts": {},
    }
    return EngineRow(**{**facts, **digests, **values})


def job_row(**values: Any) -> JobRow:
    facts = {"id": "job_1", "kind": "build", "key": digest_of_json("build"), "request": {}, "state": JobState.QUEUED}
    numbers = {"attempt": 0, "max_attempts": 3, "priority": 0, "cancel_requested": False}
    return JobRow(**{**facts, **numbers, **values})


def unsigned_engine(farm: Farm) -> str:
    """The id of an engine whose plan is stored, built before engines were signed."""
    blob = farm.blobs.put_bytes(b"plan")
    facts: dict[str, Any] = {"int8_layers": 3, "layers": [], "io": [], "seconds": 1.0}
    with farm.database.write() as session:
        session.add(model_row())
        session.flush()
        session.add(engine_row(id="eng_1", blob=blob.digest, size=blob.size, facts=facts, log_blob=None))
    return "eng_1"
