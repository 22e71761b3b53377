"""The host of the checks: toolchains, models and data, and builder steps run through the real supervisor."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import Listener, Taker, run_builder
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.gpus.waiting import turn_on
from trtfarm_worker.toolchains.probe import probed
from trtfarm_worker.toolchains.registry import reference_toolchain
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind

Array = npt.NDArray[Any]
Arguments = dict[str, Any]
_LIMITS = Limits(wall_seconds=900, silent_seconds=900, memory_bytes=48 << 30)
#: Seconds between two lines on a step that goes on.
_SAID_EVERY = 15.0


@dataclass
class Host:
    """Steps are remembered: what one check has calibrated or built, another does not again."""

    toolchain: Toolchain
    golden: Path
    scratch: Path
    minilm: Path | None = None
    minilm_data: Path | None = None
    log: list[str] = field(default_factory=list)
    #: Hears of what goes on, line by line: a run that is cut short has then told how far it came.
    say: Callable[[str], None] = lambda _line: None
    _done: dict[str, BuilderAnswer] = field(default_factory=dict)
    _runs: int = 0
    keeper: GpuKeeper = field(default_factory=keeper_of_host)

    def step(self, name: str, args: Arguments, *, should_stop: CancelToken | None = None) -> BuilderAnswer:
        """Runs a step of the TensorRT toolchain, always anew."""
        return self._run(self.toolchain, name, args, self._listen, should_stop=should_stop)

    def reference_step(self, name: str, args: Arguments) -> BuilderAnswer:
        """Runs a step of the reference toolchain, or gives back what it answered before."""
        return self._remembered(reference_toolchain(), name, args)

    def once(self, name: str, args: Arguments) -> BuilderAnswer:
        """Runs a step of the TensorRT toolchain, or gives back what it answered before."""
        return self._remembered(self.toolchain, name, args)

    def listened(
        self, name: str, args: Arguments, listener: Listener, on_handed_over: Taker = lambda _result: None
    ) -> BuilderAnswer:
        return self._run(self.toolchain, name, args, listener, on_handed_over=on_handed_over)

    def _remembered(self, toolchain: Toolchain, name: str, args: Arguments) -> BuilderAnswer:
        key = json.dumps([toolchain.name, name, args], sort_keys=True)
        if key not in self._done:
            self._done[key] = self._run(toolchain, name, args, self._listen)
        return self._done[key]

    def _run(
        self,
        toolchain: Toolchain,
        name: str,
        args: Arguments,
        listener: Listener,
        *,
        should_stop: CancelToken | None = None,
        on_handed_over: Taker = lambda _result: None,
    ) -> BuilderAnswer:
        self._runs += 1
        request = BuilderRequest(
            toolchain=toolchain, step=name, args=args, limits=_LIMITS, scratch=self.scratch / f"{self._runs:03}-{name}"
        )
        with self.told(f"{name} {_subject(args)}") as tell:

            def hear(event: Progress | LogLine) -> None:
                tell(event)
                listener(event)

            if toolchain.kind is not ToolchainKind.TENSORRT:
                return run_builder(request, on_event=hear, should_stop=should_stop)
            with turn_on(self.keeper, lambda _gpu: True, "a GPU", tell=self.log.append) as held:
                return run_builder(
                    replace(request, gpu=held.turn),
                    on_event=hear,
                    on_handed_over=on_handed_over,
                    should_stop=should_stop,
                )

    @contextmanager
    def told(self, what: str) -> Iterator[Listener]:
        """Says how long the block took, however it ends; what is given to it says now and then how far it is."""
        begun = said = time.monotonic()

        def tell(event: Progress | LogLine) -> None:
            nonlocal said
            now = time.monotonic()
            if isinstance(event, Progress) and now - said > _SAID_EVERY:
                said = now
                self.say(f"{what}: {event.stage}, {event.done} of {event.total} {event.unit} after {now - begun:.0f} s")

        try:
            yield tell
        finally:
            self.say(f"{what}: {time.monotonic() - begun:.1f} s")

    def _listen(self, event: Progress | LogLine) -> None:
        if isinstance(event, LogLine):
            self.log.append(event.text)

    def model(self, name: str) -> str:
        """`lenet` or `zoo`."""
        return str(self.golden / name / "model.onnx")

    def calibration_data(self, name: str) -> Arguments:
        return {{"lenet": "data", "zoo": "x"}[name]: array_spec(self.golden / name / "calib.npy")}

    def lenet_test(self) -> tuple[Arguments, Arguments]:
        """Held-out digits and their labels, as array specs."""
        target = self.scratch / "lenet-test"
        if not target.exists():
            target.mkdir()
            with np.load(self.golden / "lenet" / "test.npz") as archive:
                np.save(target / "data.npy", archive["data"].astype(np.float32).reshape(-1, 1, 28, 28) / 255)
                np.save(target / "label.npy", archive["label"].astype(np.int64))
        return {"data": array_spec(target / "data.npy")}, array_spec(target / "label.npy")

    def write(self, name: str, data: bytes) -> str:
        """A file of the check's own; its path."""
        path = self.scratch / name
        path.write_bytes(data)
        return str(path)

    def save(self, name: str, array: Array) -> Arguments:
        """A .npy file of the check's own; its array spec."""
        np.save(self.scratch / name, array)
        return array_spec(self.scratch / name)


def _subject(args: Arguments) -> str:
    """What a step works on, in a few words."""
    rule = args.get("rule", {}).get("calibrator")
    file = args.get("model") or args.get("engine") or args.get("candidate")
    return " ".join(str(word) for word in (file and Path(file).parent.name, args.get("precision"), rule) if word)


def array_spec(path: Path) -> Arguments:
    array = np.load(path, mmap_mode="r")
    return {"path": str(path), "dtype": str(array.dtype), "shape": list(array.shape)}


@contextmanager
def environment_variable(name: str, value: str) -> Iterator[None]:
    """Set for the processes that are started meanwhile."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def perf_seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def kit_toolchain(kit: Path) -> Toolchain:
    """The toolchain that a kit's env.sh describes, probed."""
    facts = _environment_of(kit / "env.sh")
    return probed(
        Toolchain(
            name="tensorrt-kit",
            kind=ToolchainKind.TENSORRT,
            python=Path(facts["TRT_PYTHON"]),
            library_path=tuple(Path(part) for part in facts["TRT_LIBRARY_PATH"].split(os.pathsep)),
            python_path=tuple(Path(part) for part in facts["TRT_PYTHONPATH"].split(os.pathsep)),
        )
    )


def _environment_of(script: Path) -> Mapping[str, str]:
    """The variables that a file of `export NAME=value` lines sets."""
    lines = [line.removeprefix("export ") for line in script.read_text().splitlines() if line.startswith("export ")]
    return dict(line.split("=", 1) for line in lines)


def gpu_memory_used() -> int:
    """MiB in use on the first GPU, by whomever."""
    told = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"],  # noqa: S607 - the PATH's
        check=True,
        capture_output=True,
        text=True,
    )
    return int(told.stdout.split()[0])
