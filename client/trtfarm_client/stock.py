"""What a farm keeps: engines, tables, models, data, and the files of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from trtfarm.accuracy import ANY_ACCURACY, AccuracyFilter
from trtfarm.catalog.entries import DataSetEntry, EngineEntry, ModelEntry, TableEntry
from trtfarm_client import calls, file_calls, flows
from trtfarm_client.flows import Flow, Report, unreported
from trtfarm_client.method import Flows, method
from trtfarm_client.operations import Hear, joining, unheard
from trtfarm_client.records import DataSetRecord, ModelRecord

Facts = dict[str, Any]


class Stock(Flows):
    """Methods of both clients."""

    @method
    def engines(
        self,
        *,
        tensorrt: str | None = None,
        target: str | None = None,
        precision: str | None = None,
        calibrator: str | None = None,
        model: str | None = None,
        digest: str | None = None,
        label: str | None = None,
        gpu: str | None = None,
        accuracy: AccuracyFilter = ANY_ACCURACY,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Flow[list[EngineEntry]]:
        """Engines, newest first, all pages up to `limit`. Versions and precisions may be short, as in the CLI."""
        words = {"tensorrt": tensorrt, "target": target, "precision": precision, "calibrator": calibrator}
        words |= {"model": model, "digest": digest, "label": label, "gpu": gpu}
        return self._listed(calls.engines, {**words, **vars(accuracy), "since": since, "until": until}, limit)

    @method
    def engine(self, engine: str) -> Flow[Facts]:
        """All that is known of an engine, its layers among it. Raises NotFoundError."""
        return self._send(calls.engine(engine))

    @method
    def download_engine(self, engine: str, destination: Path, *, report: Report = unreported) -> Flow[str]:
        """Writes the plan, verified, and returns its digest; `destination` appears whole or not at all."""
        path = calls.engine(engine).path + "/plan"
        return flows.downloading(path, destination, self._patience(), report)

    @method
    def engine_signature(self, engine: str) -> Flow[bytes]:
        """What stands in the engine's `.sig` file. Raises NotFoundError for an engine that nobody signed."""
        return self._send(calls.engine_signature(engine))

    @method
    def remove_engine(self, engine: str) -> Flow[None]:
        """Forgets an engine and its bytes. Raises UsageError for one that is pinned or has a label."""
        return self._send(calls.remove_engine(engine))

    @method
    def verify_engine(
        self,
        engine: str,
        *,
        dataset: str | None = None,
        profile: int | None = None,
        fresh: bool = False,
        hear: Hear = unheard,
    ) -> Flow[Facts]:
        """`verification`, `dataset` and `metrics` of an engine that a worker measured against FP32.

        Without data, those that its model was verified with last; in the optimization profile of that number, from 0
        on, or the first that takes the data. `hear` gets `job` events, and `waiting` ones.
        """
        return joining(calls.verify_engine(engine, dataset, profile=profile, fresh=fresh), self._patience(), hear)

    @method
    def remove_engines(self, engines: Sequence[str]) -> Flow[list[str]]:
        """Their ids; all that are named go, or none."""
        return self._send(calls.remove_engines(engines))

    @method
    def pin_engine(self, engine: str, *, pinned: bool = True) -> Flow[None]:
        """A pinned engine is kept by every clean-up."""
        return self._send(calls.pin_engine(engine, pinned=pinned))

    @method
    def label_engine(self, engine: str, label: str) -> Flow[None]:
        """Gives an engine a label, such as `prod`, which also keeps it."""
        return self._send(calls.label_engine(engine, label, given=True))

    @method
    def unlabel_engine(self, engine: str, label: str) -> Flow[None]:
        """Raises NotFoundError where the engine has no such label."""
        return self._send(calls.label_engine(engine, label, given=False))

    @method
    def tables(
        self,
        *,
        tensorrt: str | None = None,
        target: str | None = None,
        calibrator: str | None = None,
        model: str | None = None,
        digest: str | None = None,
        accuracy: AccuracyFilter = ANY_ACCURACY,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Flow[list[TableEntry]]:
        """Tables, newest first; `target` leaves out those that are tied to another device."""
        words = {"tensorrt": tensorrt, "target": target, "calibrator": calibrator, "model": model, "digest": digest}
        return self._listed(calls.tables, {**words, **vars(accuracy), "since": since, "until": until}, limit)

    @method
    def table(self, table: str) -> Flow[Facts]:
        """A table: its rule, its data, its scales (tensor -> hex of the float32 amax / 127). Raises NotFoundError."""
        return self._send(calls.table(table))

    @method
    def download_table(self, table: str, destination: Path) -> Flow[str]:
        """Writes the text that TensorRT reads, verified, and returns its digest."""
        path = calls.table(table).path + "/text"
        return flows.downloading(path, destination, self._patience(), unreported)

    @method
    def add_table(self, model: str, blob: str) -> Flow[Facts]:
        """Takes a table whose text was uploaded. Raises TableError."""
        return self._send(calls.add_table(model, blob))

    @method
    def models(
        self, *, name: str | None = None, digest: str | None = None, limit: int | None = None
    ) -> Flow[list[ModelEntry]]:
        """Models that came under this name, or whose digest starts so, newest first."""
        return self._listed(calls.models, {"name": name, "digest": digest}, limit)

    @method
    def model(self, model: str) -> Flow[ModelRecord]:
        """A model: its digests, inputs and outputs. Raises NotFoundError."""
        return self._send(calls.model(model))

    @method
    def add_model(self, name: str, blob: str, weights: Mapping[str, str] | None = None) -> Flow[ModelEntry]:
        """Takes a model whose file was uploaded, and its weights by where it says they are. Raises ModelError."""
        return self._send(calls.add_model(name, blob, weights or {}))

    @method
    def datasets(
        self, *, name: str | None = None, digest: str | None = None, limit: int | None = None
    ) -> Flow[list[DataSetEntry]]:
        """Data sets of this name, or whose digest starts so, newest first."""
        return self._listed(calls.datasets, {"name": name, "digest": digest}, limit)

    @method
    def dataset(self, dataset: str) -> Flow[DataSetRecord]:
        """A data set: its arrays by input, and what was done to them. Raises NotFoundError."""
        return self._send(calls.dataset(dataset))

    @method
    def add_dataset(
        self,
        source: str,
        inputs: Mapping[str, str],
        *,
        labels: str | None = None,
        preprocessing: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Flow[DataSetEntry]:
        """Takes data whose arrays were uploaded: digests of prepared `.npy` files by input. Raises DataError."""
        return self._send(calls.add_dataset(source, inputs, labels, preprocessing or {}))

    @method
    def upload(self, paths: Sequence[Path], *, report: Report = unreported) -> Flow[dict[Path, str]]:
        """Uploads those files that the farm does not hold, from where an earlier try broke off; their digests."""
        return flows.uploading(paths, self._patience(), report)

    @method
    def download_blob(self, digest: str, destination: Path, *, report: Report = unreported) -> Flow[None]:
        """Writes the bytes of a digest, verified; `destination` appears whole or not at all."""
        path = file_calls.blob_path(digest)
        yield from flows.downloading(path, destination, self._patience(), report, digest=digest)
