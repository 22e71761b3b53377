"""The stages, run in a TensorRT 8.5 interpreter: `python -m scripts.legacy_cutoff.stages STAGE GOLDEN OUT SECONDS`."""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorrt as trt

from scripts.legacy_cutoff.calibrator import Batch, DeviceBatches, Recorder
from scripts.legacy_cutoff.grid import Setting, cutoffs, few, settings
from scripts.legacy_cutoff.shapes import SIZE, shapes, values

_SIDE = 256
_LENET_BATCH = 50
Prepare = Callable[[Any, Any], None]


class Logger(trt.ILogger):  # type: ignore[misc]  # the bindings have no types
    def __init__(self, path: Path) -> None:
        trt.ILogger.__init__(self)
        self._file = path.open("w", buffering=1)
        #: Verbose lines are many: only a stage's first build tells all.
        self.verbose = True

    def log(self, severity: Any, message: str) -> None:
        if self.verbose or severity in (trt.ILogger.ERROR, trt.ILogger.WARNING, trt.ILogger.INTERNAL_ERROR):
            self._file.write(f"[{severity.name}] {message}\n")


class Stage:
    """One network, calibrated over and over; the results so far are on the disk after each run."""

    def __init__(self, name: str, out: Path, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.out = out
        self._path = out / (name + ".json")
        self.logger = Logger(out / (name + ".log"))
        self.builder = trt.Builder(self.logger)
        self.network = self.builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
        self._timing = b""
        self.facts: dict[str, Any] = {"tensorrt": trt.__version__, "runs": []}
        self._parser: Any = None

    def parse(self, model: Path) -> None:
        self._parser = trt.OnnxParser(self.network, self.logger)
        if not self._parser.parse_from_file(str(model)):
            raise RuntimeError(self._parser.get_error(0).desc())

    def config(self) -> Any:
        config = self.builder.create_builder_config()
        config.set_flag(trt.BuilderFlag.INT8)
        config.set_quantization_flag(trt.QuantizationFlag.CALIBRATE_BEFORE_FUSION)
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 30)
        config.set_tactic_sources(config.get_tactic_sources() & ~(1 << int(trt.TacticSource.CUDNN)))
        config.avg_timing_iterations = 1
        config.set_timing_cache(config.create_timing_cache(self._timing), ignore_mismatch=False)
        return config

    def calibrate(self, recorder: Recorder, prepare: Prepare | None = None, **noted: Any) -> None:
        """One build to its end; notes the table, which is there even if the build fails."""
        begun = time.monotonic()
        config = self.config()
        if prepare is not None:
            prepare(self.builder, config)
        config.int8_calibrator = recorder
        plan = self.builder.build_serialized_network(self.network, config)
        self._timing = bytes(config.get_timing_cache().serialize())
        self.logger.verbose = False
        self.note(recorder, plan=plan is not None, seconds=round(time.monotonic() - begun, 2), **noted)

    def note(self, recorder: Recorder, **noted: Any) -> None:
        table = None if recorder.table is None else recorder.table.decode("latin-1")
        self.facts["runs"].append(
            {
                "quantile": recorder.get_quantile(),
                "cutoff": recorder.get_regression_cutoff(),
                "table": table,
                "batches": recorder.given,
                "calls": recorder.calls,
                **noted,
            }
        )
        self.write()

    def write(self) -> None:
        self._path.write_text(json.dumps(self.facts))

    def sweep(
        self, batches: DeviceBatches, batch_size: int, wanted: Sequence[Setting], prepare: Prepare | None = None
    ) -> None:
        longest = 0.0
        for quantile, cutoff in wanted:
            begun = time.monotonic()
            if begun + longest > self.end:
                self.facts["left_out"] = len(wanted) - len(self.facts["runs"])
                self.write()
                return
            self.calibrate(Recorder(batches, batch_size, quantile, cutoff), prepare)
            # The first build also starts libraries and fills the timing cache.
            longest = max(longest, time.monotonic() - begun) if len(self.facts["runs"]) > 1 else 0.0


def _relus(stage: Stage, names: Sequence[str]) -> None:
    """One ReLU per input: of values that are not negative, its output has its input's histogram."""
    # All inputs before the first output: calibration fails on networks whose bindings alternate.
    inputs = {name: stage.network.add_input(name, trt.float32, (1, 1, _SIDE, _SIDE)) for name in names}
    for name, tensor in inputs.items():
        layer = stage.network.add_activation(tensor, trt.ActivationType.RELU)
        layer.name = "relu " + name
        output = layer.get_output(0)
        output.name = name + "/out"
        stage.network.mark_output(output)


def _image(data: Any) -> Any:
    assert data.size == SIZE == _SIDE * _SIDE  # noqa: S101 - a slip in the shapes
    return data.reshape(1, 1, _SIDE, _SIDE)


def _shapes(stage: Stage, golden: Path) -> None:  # noqa: ARG001 - one signature for all
    made = shapes()
    _relus(stage, list(made))
    stage.facts["shapes"] = {name: {"counts": counts.tolist(), "top": top} for name, (counts, top) in made.items()}
    batch: Batch = {name: _image(values(counts, top)) for name, (counts, top) in made.items()}
    stage.sweep(DeviceBatches([batch]), 1, settings())


def _constants(stage: Stage, golden: Path) -> None:  # noqa: ARG001 - one signature for all
    """The shapes as constants, whose values TensorRT gives a histogram like any tensor's; one input, one output."""
    made = shapes()
    stage.facts["shapes"] = {name: {"counts": counts.tolist(), "top": top} for name, (counts, top) in made.items()}
    kept = {name: _image(values(counts, top)) for name, (counts, top) in made.items()}
    last = stage.network.add_input("x", trt.float32, (1, 1, _SIDE, _SIDE))
    for name, data in kept.items():
        constant = stage.network.add_constant((1, 1, _SIDE, _SIDE), trt.Weights(np.ascontiguousarray(data)))
        constant.get_output(0).name = name
        last = stage.network.add_elementwise(last, constant.get_output(0), trt.ElementWiseOperation.MAX).get_output(0)
    stage.network.mark_output(last)
    stage.sweep(DeviceBatches([{"x": kept["uniform"]}]), 1, cutoffs())


def _split(data: Any, parts: int, way: str) -> list[Any]:
    """`parts` batches of SIZE values: `data` over and over, apart from scale and order.

    `same`: equal batches; `rising` and `falling`: each batch's largest value is another; `last-outlier`: only the last
    batch reaches the top.
    """
    scales = {
        "same": [1.0] * parts,
        "rising": [(index + 1) / parts for index in range(parts)],
        "falling": [(parts - index) / parts for index in range(parts)],
        "last-outlier": [0.25] * (parts - 1) + [1.0],
    }[way]
    return [(data * np.float32(scale)).astype(np.float32) for scale in scales]


def _batches(stage: Stage, golden: Path) -> None:  # noqa: ARG001 - one signature for all
    made = shapes()
    chosen = ("uniform", "linear-falling", "exponential-400", "half-normal-700", "points-1100-1500-1700")
    ways = ("same", "rising", "falling", "last-outlier")
    names = [f"{shape} {way}" for shape in chosen for way in ways]
    _relus(stage, names)
    stage.facts["batches"] = {name: name.split(" ") for name in names}
    parts = 5
    by_name = {name: _split(values(*made[name.split(" ")[0]]), parts, name.split(" ")[1]) for name in names}
    batches = [{name: _image(by_name[name][index]) for name in names} for index in range(parts)]
    stage.sweep(DeviceBatches(batches), 1, few())


def _cache(stage: Stage, golden: Path) -> None:  # noqa: ARG001 - one signature for all
    """What the histogram cache holds, when it is written, and whether one that is read spares the data."""
    made = shapes()
    names = ["uniform", "half-normal-400", "points-1100-1500-1700"]
    _relus(stage, names)
    batch: Batch = {name: _image(values(*made[name])) for name in names}
    batches = DeviceBatches([batch, batch])
    kept: dict[tuple[float, float], bytes] = {}
    for quantile, cutoff in ((0.999, 1.0), (0.999, 0.5), (0.5, 0.5)):
        recorder = Recorder(batches, 1, quantile, cutoff)
        recorder.keep_histogram = True
        stage.calibrate(recorder, way="written")
        if recorder.histogram:
            kept[quantile, cutoff] = recorder.histogram
            (stage.out / f"histogram-{quantile}-{cutoff}.bin").write_bytes(recorder.histogram)
    for quantile, cutoff in ((0.999, 1.0), (0.999, 0.5), (0.999, 0.75)):
        for histogram in list(kept.values())[:1]:
            recorder = Recorder(batches, 1, quantile, cutoff)
            recorder.hand_over(histogram)
            stage.calibrate(recorder, way="read")


def _shaped(name: str, shape: tuple[int, ...], sizes: Sequence[int]) -> Prepare:
    def prepare(builder: Any, config: Any) -> None:
        calibration = builder.create_optimization_profile()
        calibration.set_shape(name, *[(sizes[1], *shape)] * 3)
        config.set_calibration_profile(calibration)
        profile = builder.create_optimization_profile()
        profile.set_shape(name, *[(size, *shape) for size in sizes])
        config.add_optimization_profile(profile)

    return prepare


def _samples(folder: Path, name: str, size: int) -> list[Batch]:
    data = np.load(str(folder / "calib.npy"))
    return [{name: data[start : start + size]} for start in range(0, len(data) - size + 1, size)]


def _lenet(stage: Stage, golden: Path) -> None:
    stage.parse(golden / "lenet" / "model.onnx")
    batches = DeviceBatches(_samples(golden / "lenet", "data", _LENET_BATCH))
    prepare = _shaped("data", (1, 28, 28), (1, _LENET_BATCH, _LENET_BATCH))
    wanted = few() + settings()
    stage.sweep(batches, _LENET_BATCH, list(dict.fromkeys(wanted)), prepare)


def _zoo(stage: Stage, golden: Path) -> None:
    """A build of minutes is not waited for: the process ends once the table is there."""
    stage.parse(golden / "zoo" / "model.onnx")
    batches = DeviceBatches(_samples(golden / "zoo", "x", _LENET_BATCH))
    for quantile, cutoff in ((0.999, 0.75),):
        recorder = Recorder(batches, _LENET_BATCH, quantile, cutoff)
        config = stage.config()
        _shaped("x", (3, 32, 32), (1, _LENET_BATCH, _LENET_BATCH))(stage.builder, config)
        config.int8_calibrator = recorder
        threading.Thread(
            target=stage.builder.build_serialized_network, args=(stage.network, config), daemon=True
        ).start()
        while recorder.table is None and time.monotonic() < stage.end:
            time.sleep(0.05)
        stage.note(recorder)


_STAGES: Mapping[str, Callable[[Stage, Path], None]] = {
    "constants": _constants,
    "shapes": _shapes,
    "batches": _batches,
    "cache": _cache,
    "lenet": _lenet,
    "zoo": _zoo,
}


def main() -> None:
    name, golden, out, seconds = sys.argv[1:]
    code = 0
    try:
        _STAGES[name](Stage(name, Path(out), float(seconds)), Path(golden))
    except BaseException:  # noqa: BLE001 - the other stages go on; the log tells
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # A build that nobody waits for would keep the interpreter from ending.
    os._exit(code)


if __name__ == "__main__":
    main()
