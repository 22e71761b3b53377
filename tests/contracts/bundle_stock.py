"""Farms with something to export: LeNet with a table, a Q/DQ model, a float16 model, an engine and its accuracy.

Everything is as a worker writes it, keys and signatures too, but for the bytes of rewritten models and plans.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import REPOSITORY
from trtfarm import actions
from trtfarm.actions import Action
from trtfarm.blobs.location import store_at
from trtfarm.blobs.records import record
from trtfarm.blobs.store import Blob
from trtfarm.bundles.exporting import export_of
from trtfarm.bundles.importing import Imported, import_bundle
from trtfarm.bundles.selection import Selection
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.catalog.labels import label_engine
from trtfarm.catalog.visibility import grant
from trtfarm.database.schema import (
    DatasetRow,
    EngineRow,
    ModelRow,
    QuantizationRow,
    RecordingRow,
    TableRow,
    VerificationRow,
)
from trtfarm.database.session import Database, open_database, sqlite_url
from trtfarm.datasets.dataset import digest_of_data
from trtfarm.farm import Farm
from trtfarm.ids import new_id
from trtfarm.intake import add_model
from trtfarm.models.model import Model
from trtfarm.origins import TableOrigin
from trtfarm.projects import DEFAULT_PROJECT
from trtfarm.settings import Settings
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import sealed
from trtfarm.signing.statement import EngineStatement
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.submission import Submission
from trtfarm.tables.table import CalibrationTable
from trtfarm.targets import BuildTarget
from trtfarm.versions import TensorRTVersion

LENET = REPOSITORY / "calib_data" / "mnist" / "lenet.onnx"
RULE = CalibrationRule.of(Calibrator.MINMAX, batch_size=50)
SCALES = {"data": "3c010204", "/Relu_output_0": "3e3aa5a9", "prob": "3c010101"}
TARGET = BuildTarget(compute_capability="sm_89", toolchain="tensorrt-rtx", tensorrt="1.7.1.116")
LEFT: dict[str, Any] = {"exclude_nodes": [], "exclude_op_types": []}
PROFILES = {"data": {"min": [1, 1, 28, 28], "opt": [8, 1, 28, 28], "max": [32, 1, 28, 28]}}
METRICS: dict[str, Any] = {
    "samples": 50,
    "simulated": True,
    "outputs": {
        "prob": {
            "cosine_mean": 0.998,
            "cosine_min": 0.99,
            "snr_db": None,
            "max_abs_error": 0.05,
            "broken_samples": 0,
        }
    },
    "classification": {
        "output": "prob",
        "reference": {"top1": 0.96, "top5": 1.0},
        "candidate": {"top1": 0.94, "top5": 1},
    },
}
BUILT: dict[str, Any] = {
    "toolchain": TARGET.toolchain,
    "table_reuse": None,
    "layers": [{"name": "conv", "dtype": "int8"}, {"name": "prob", "dtype": None}],
    "int8_layers": 1,
    "io": [{"name": "data", "mode": "input", "dtype": "float32", "shape": [-1, 1, 28, 28]}],
    "seconds": 0.5,
}


@contextmanager
def farm_at(folder: Path, migrated: Path) -> Iterator[Farm]:
    """A new farm in a folder, on SQLite; `migrated` is an empty database."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = open_database(sqlite_url(Path(shutil.copy(migrated, folder / "farm.db"))))
    yield farm_in(folder / "home", opened)
    opened.close()


def farm_in(folder: Path, database: Database) -> Farm:
    settings = Settings.from_environment({"TRTFARM_HOME": str(folder)})
    return Farm(settings, database, store_at(settings.blob_url))


def trusts(taker: Farm, giver: Farm) -> None:
    """What `keys export` and `keys trust` do."""
    path = giver.settings.home / "public.pem"
    path.write_bytes(Keyring.of(giver.settings).signer().public.pem())
    Keyring.of(taker.settings).trust(path)


def bundle(farm: Farm, selection: Selection) -> bytes:
    return b"".join(export_of(farm, selection).chunks(farm.blobs))


def taken(farm: Farm, data: bytes, **options: Any) -> Imported:
    path = farm.settings.home.with_name("lenet.bundle")
    path.write_bytes(data)
    return import_bundle(farm, path, name=path.name, **options)


class Stock:
    """A farm with what one submission of LeNet for `int8+fp16` leaves behind; `engine` is the id of its engine."""

    def __init__(self, farm: Farm, *, scales: dict[str, str] | None = None, plan: bytes = b"a plan" * 500) -> None:
        self.farm = farm
        self.model = add_model(farm, Model.read(LENET))
        self.data, self.test = self._dataset(100, labels=False), self._dataset(50, labels=True)
        self.table = self._table(scales or SCALES)
        self.quantized = self._rewritten(self._quantize(), "qdq")
        self.converted = self._rewritten(self._convert(), "f16")
        self.engine = self._engine(plan)
        self.verification = self._verification()
        label_engine(farm.database, self.engine, "prod")
        with farm.database.write() as session:
            mine = [self.data, self.test, self.table, self.engine, self.verification]
            grant(session, DEFAULT_PROJECT, mine)

    def request(self) -> SubmissionRequest:
        """The submission whose results these are."""
        return SubmissionRequest(
            model_id=self.model,
            precision="int8+fp16",
            targets=(TARGET,),
            rule=RULE,
            dataset_id=self.data,
            test_dataset_id=self.test,
            profiles=PROFILES,
            quantizer_options=LEFT,
            converter_options=LEFT,
        )

    def row(self, rows: Any, row_id: str) -> Any:
        with self.farm.database.read() as session:
            return session.get_one(rows, row_id)

    def _dataset(self, samples: int, *, labels: bool) -> str:
        arrays = {"data": self.farm.blobs.put_bytes(f"{samples} digits".encode())}
        told = {name: _array(blob, samples, 1, 28, 28) for name, blob in arrays.items()}
        classes = self.farm.blobs.put_bytes(f"{samples} labels".encode()) if labels else None
        digests = {name: blob.digest for name, blob in arrays.items()}
        return self._add(
            [*arrays.values(), *([classes] if classes else [])],
            DatasetRow(
                id=new_id("dat"),
                name="digits",
                source="mnist/data.npy",
                digest=digest_of_data(digests, classes.digest if classes else None, {}),
                samples=samples,
                inputs=told,
                labels=_array(classes, samples) if classes else None,
                spec={},
            ),
        )

    def _table(self, scales: dict[str, str]) -> str:
        table = CalibrationTable.of(scales, RULE, TensorRTVersion.parse(actions.REFERENCE_TENSORRT))
        blob = self.farm.blobs.put_bytes(table.render())
        model, data = self.row(ModelRow, self.model), self.row(DatasetRow, self.data)
        return self._add(
            [blob],
            TableRow(
                id=new_id("tab"),
                key=actions.calibrate(model=model.digest, dataset=data.digest, rule=RULE).key,
                model_id=self.model,
                dataset_id=self.data,
                calibrator=RULE.calibrator.value,
                rule=RULE.as_dict() | {"samples": 100, "engine": "onnxruntime 1.31.1"},
                batch_size=RULE.batch_size,
                before_fusion=True,
                tensorrt=actions.REFERENCE_TENSORRT,
                origin=TableOrigin.REFERENCE,
                portable=True,
                device=None,
                blob=blob.digest,
                scales_digest=table.scales_digest,
                scales=dict(table.scales),
                tensors=len(table.scales),
            ),
        )

    def _quantize(self) -> Action:
        model, table = self.row(ModelRow, self.model), self.row(TableRow, self.table)
        return actions.quantize(model=model.digest, scales=table.scales_digest, options=LEFT)

    def _convert(self) -> Action:
        return actions.convert(onnx=self.row(QuantizationRow, self.quantized).blob, weights=None, options=LEFT)

    def _rewritten(self, action: Action, prefix: str) -> str:
        blob = self.farm.blobs.put_bytes(f"{prefix} {action.key}".encode())
        made_of = {"model_id": self.model, "table_id": self.table}
        facts = {"quantized": ["/c1/Conv"], "left": [{"node": "prob", "op_type": "Softmax", "reason": "why"}]}
        values = {"key": action.key, "options": LEFT, "blob": blob.digest, "facts": facts, **made_of}
        return self._add([blob], QuantizationRow(id=new_id(prefix), **values))

    def _engine(self, content: bytes) -> str:
        plan, log = self.farm.blobs.put_bytes(content), self.farm.blobs.put_bytes(b"log of " + content)
        wanted: dict[str, Any] = {"precision": "int8+fp16", "profiles": PROFILES, "options": {}}
        onnx = self.row(QuantizationRow, self.converted).blob
        key = actions.build(onnx=onnx, weights=None, **wanted, **vars(TARGET)).key
        row = EngineRow(
            id=new_id("eng"),
            key=key,
            model_id=self.model,
            quantization_id=self.converted,
            table_id=self.table,
            calibrator=RULE.calibrator.value,
            tensorrt=TARGET.tensorrt,
            toolchain="tensorrt-rtx-1.7.1.116",
            compute_capability=TARGET.compute_capability,
            blob=plan.digest,
            log_blob=log.digest,
            size=plan.size,
            facts=BUILT,
            **wanted,
        )
        seal = sealed(Keyring.of(self.farm.settings), EngineStatement.of_row(row))
        row.signature, row.signing_key = seal.signature, seal.key
        return self._add([plan, log], row)

    def _verification(self) -> str:
        onnx = self.row(QuantizationRow, self.converted).blob
        model, data = self.row(ModelRow, self.model), self.row(DatasetRow, self.test)
        return self._add(
            [],
            VerificationRow(
                id=new_id("ver"),
                key=actions.verify(model=model.digest, quantized=onnx, dataset=data.digest).key,
                model_id=self.model,
                quantization_id=self.converted,
                dataset_id=self.test,
                simulated=True,
                metrics=METRICS,
            ),
        )

    def record(self, samples: int = 50) -> str:
        """What FP32 computes of the test data, as a worker records it; the id of its row."""
        content = BytesIO()
        np.save(content, np.full((samples, 10), 0.1, np.float32))
        blob = self.farm.blobs.put_bytes(content.getvalue())
        model, data = self.row(ModelRow, self.model), self.row(DatasetRow, self.test)
        return self._add(
            [blob],
            RecordingRow(
                id=new_id("rec"),
                key=actions.record(model=model.digest, dataset=data.digest).key,
                model_id=self.model,
                dataset_id=self.test,
                outputs={"prob": _array(blob, samples, 10)},
            ),
        )

    def _add(self, blobs: Sequence[Blob], row: Any) -> str:
        with self.farm.database.write() as session:
            record(session, blobs)
            session.add(row)
            return str(row.id)


def submitted(farm: Farm, request: SubmissionRequest) -> Submission:
    return farm.submissions.get(farm.submit(request)[0])


def _array(blob: Blob, *shape: int) -> dict[str, Any]:
    return {"blob": blob.digest, "dtype": "float32", "shape": list(shape)}
