"""The supervisor against builders that answer, crash, hang, talk rubbish or leave others behind."""

from __future__ import annotations

import os
import threading

import psutil
import pytest

from tests.acceptance.builder.conftest import Bench, generous
from trtfarm.errors import (
    BuilderCancelledError,
    BuilderCrashError,
    BuilderError,
    BuilderMemoryError,
    BuilderTimeoutError,
    DataError,
    ModelError,
)
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress


def test_an_answer_comes_with_its_files_events_and_prints(bench: Bench) -> None:
    answer = bench.run(
        bench.poser("""
progress(3)
send(event="log", level="warning", text="\\x1b[31mred")
print("printed by a library")
open("engine.plan", "wb").write(b"engine")
answer(engine="engine.plan", size=6)
""")
    )
    assert answer.result == {"engine": "engine.plan", "size": 6}
    assert answer.file("engine").read_bytes() == b"engine"
    assert bench.told == [
        Progress(stage="stage", done=3, total=None, unit="steps"),
        LogLine(level="warning", text="\N{REPLACEMENT CHARACTER}[31mred"),
    ]
    assert answer.native_log.read_text() == "printed by a library\n"


def test_secrets_do_not_reach_the_builder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRTFARM_DATABASE_URL", "postgresql://user:password@host/farm")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    answer = bench.run(bench.poser("answer(names=sorted(os.environ), home=os.environ['HOME'], cwd=os.getcwd())"))
    assert not {"TRTFARM_DATABASE_URL", "PYTHONPATH"} & set(answer.result["names"])
    assert answer.result["home"] == answer.result["cwd"] == str(bench.scratch)


def test_a_long_request_reaches_the_builder_whole(bench: Bench) -> None:
    """Longer than any pipe, with a builder that never reads it: a write into a pipe would block for ever."""
    toolchain = bench.poser("answer(size=os.fstat(0).st_size)")
    assert bench.run(toolchain, step="x" * (4 << 20)).result["size"] > 4 << 20


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("print('last words', flush=True); os.kill(os.getpid(), signal.SIGSEGV)", "crashed with SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL from outside"),
        ("os.abort()", "crashed with SIGABRT"),
        ("sys.exit(3)", "ended with exit code 3"),
        ("sys.exit(0)", "ended without an answer"),
        ("progress(); sys.exit(0)", "ended without an answer"),
        ("answer(); sys.exit(3)", "answered, but then ended with exit code 3"),
        ("answer(); os.abort()", "answered, but then crashed with SIGABRT"),
    ],
)
def test_a_death_is_told_as_it_happened(bench: Bench, body: str, words: str) -> None:
    with pytest.raises(BuilderCrashError, match=words) as caught:
        bench.run(bench.poser(body))
    assert ("last words" in str(caught.value.cause)) == ("last words" in body)
    assert caught.value.retryable


def test_an_allocation_that_fails_in_native_code_is_a_lack_of_memory(bench: Bench) -> None:
    with pytest.raises(BuilderMemoryError, match="SIGABRT"):
        bench.run(bench.poser("os.write(2, b\"terminate called after throwing 'std::bad_alloc'\\n\"); os.abort()"))


@pytest.mark.parametrize(
    ("code", "error"),
    [("bad_model", ModelError), ("bad_data", DataError), ("builder", BuilderError), ("storage", BuilderError)],
)
def test_a_failure_is_the_error_that_its_code_names(bench: Bench, code: str, error: type[Exception]) -> None:
    """Only codes of builders count: `storage` is the farm's own trouble."""
    with pytest.raises(error, match="what happened") as caught:
        bench.run(
            bench.poser(
                f"send(event='failure', code='{code}', message='what happened',"
                "    cause='why', remedy=None, trace='where')\n"
                "sys.exit(1)"
            )
        )
    assert type(caught.value) is error
    assert "where" in (bench.scratch / "native.log").read_text()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os.write(channel, b'rubbish\\n')", "JSONDecodeError"),
        ("send(event='mystery')", "KeyError"),
        ("send(event='answer', result=[1])", "an object"),
        ('os.write(channel, b\'{"event":"answer","result":{"amax":NaN}}\\n\')', "NaN"),
        ("answer(); answer()", "a second answer"),
        (
            "send(event='handed over', result={}); send(event='handed over', result={})",
            "handed over too late, or twice",
        ),
        ("answer(); os.write(channel, b'{\"event\":')", "breaks off"),
        ("while True: os.write(channel, b'x' * 65536)", "longer than"),
    ],
)
def test_rubbish_on_the_channel_ends_the_builder(bench: Bench, body: str, words: str) -> None:
    with pytest.raises(BuilderCrashError, match="what is no event") as caught:
        bench.run(bench.poser(body))
    assert words in str(caught.value.cause)


def test_what_is_logged_after_the_answer_is_dropped(bench: Bench) -> None:
    answer = bench.run(bench.poser("answer(a=1); send(event='log', level='info', text='late')"))
    assert answer.result == {"a": 1}
    assert bench.told == []


def test_a_flood_of_events_and_prints_is_kept_within_bounds(bench: Bench) -> None:
    answer = bench.run(
        bench.poser("""
for number in range(20_000):
    send(event="log", level="info", text="line %d" % number)
    progress(number)
    os.write(1, b"x" * 1000)
answer()
""")
    )
    lines = [event.text for event in bench.told if isinstance(event, LogLine)]
    assert lines[999:] == ["line 999", "19000 more lines of the builder's log are left out"]
    progress = [event.done for event in bench.told if isinstance(event, Progress)]
    assert len(progress) < 2000
    assert progress[-1] == 19_999
    assert answer.native_log.stat().st_size < 5 << 20


_HOG = "hoard = bytearray(512 << 20)\ntime.sleep(600)"


@pytest.mark.parametrize("body", [_HOG, f"if os.fork():\n    os.wait()\nelse:\n    {_HOG.replace(chr(10), '; ')}"])
def test_memory_counts_for_the_builder_and_what_it_started(bench: Bench, body: str) -> None:
    with pytest.raises(BuilderMemoryError, match="over its limit of 128 MiB"):
        bench.run(bench.poser(body), limits=generous(memory_bytes=128 << 20))


def test_a_mapped_file_is_not_memory_of_the_builder(bench: Bench) -> None:
    """Calibration data is mapped, and may be larger than the limit."""
    answer = bench.run(
        bench.poser("""
import mmap
with open("data", "wb") as file:
    file.truncate(256 << 20)
data = mmap.mmap(os.open("data", os.O_RDONLY), 0, prot=mmap.PROT_READ)
last = time.monotonic() + 0.6
while time.monotonic() < last:
    sum(data[::4096])
answer()
"""),
        limits=generous(memory_bytes=128 << 20),
    )
    assert answer.peak_memory_bytes < 128 << 20


def test_silence_ends_the_builder(bench: Bench) -> None:
    with pytest.raises(BuilderTimeoutError, match=r"no sign of life for 1\.5 s") as caught:
        bench.run(bench.poser("print('stuck here', flush=True); time.sleep(600)"), limits=generous(silent_seconds=1.5))
    assert caught.value.cause == "stuck here"


def test_a_sign_of_life_is_no_excuse_for_running_too_long(bench: Bench) -> None:
    with pytest.raises(BuilderTimeoutError, match=r"ran for longer than 0\.5 s"):
        bench.run(bench.poser("while True: progress()"), limits=generous(wall_seconds=0.5))


def test_a_builder_that_ignores_sigterm_is_killed(bench: Bench) -> None:
    with pytest.raises(BuilderTimeoutError):
        bench.run(
            bench.poser("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"),
            limits=generous(wall_seconds=0.4),
        )


def test_cancelling_from_another_thread_wakes_the_supervisor(bench: Bench) -> None:
    token, started = CancelToken(), threading.Event()

    def cancel() -> None:
        started.wait(60)
        token.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(BuilderCancelledError, match="trt-probe was cancelled"):
        bench.run(bench.poser("progress(); time.sleep(600)"), on_event=lambda _event: started.set(), should_stop=token)
    canceller.join()


def test_a_token_set_beforehand_starts_nothing(bench: Bench) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(BuilderCancelledError):
        bench.run(bench.poser("answer()"), should_stop=token)
    assert not bench.scratch.exists()


def test_several_builders_at_once_are_apart(bench: Bench) -> None:
    """One token ends many; none takes another's events, although descriptors are inherited at a fork."""
    toolchain = bench.poser("progress(); time.sleep(600)")
    token, running = CancelToken(), threading.Barrier(3)
    errors: list[Exception] = []

    def wait(_event: Progress | LogLine) -> None:
        running.wait(60)

    def work(name: str) -> None:
        mine = Bench(bench.folder / name)
        mine.folder.mkdir()
        try:
            mine.run(toolchain, on_event=wait, should_stop=token)
        except BuilderCancelledError as error:
            errors.append(error)
        assert mine.processes() == []

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    running.wait(60)
    token.cancel()
    for thread in threads:
        thread.join()
    assert len(errors) == 2


_GRANDCHILDREN = """
subprocess.Popen(["sleep", "600"])
subprocess.Popen(["sleep", "600"], preexec_fn=lambda: os.setpgid(0, 0))
subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600 & sleep 600 & wait"])
progress()
"""


@pytest.mark.parametrize("end", ["answer()", "os.kill(os.getpid(), signal.SIGSEGV)", "time.sleep(600)"])
def test_grandchildren_end_with_the_builder(bench: Bench, end: str) -> None:
    """Also those in process groups of their own; the bench finds whoever is left."""
    token = CancelToken()
    stop = "sleep" in end
    try:
        bench.run(
            bench.poser(_GRANDCHILDREN + end),
            on_event=lambda _event: token.cancel() if stop else None,
            should_stop=token,
        )
    except (BuilderCrashError, BuilderCancelledError):
        assert end != "answer()"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_a_listener_raises_passes_through_and_ends_the_builder(bench: Bench, error: type[BaseException]) -> None:
    def raise_it(_event: Progress | LogLine) -> None:
        raise error

    with pytest.raises(error):
        bench.run(bench.poser("progress(); time.sleep(600)"), on_event=raise_it)
    assert bench.processes() == []


def test_a_listener_that_takes_long_does_not_make_the_builder_silent(bench: Bench) -> None:
    """The next events wait in the pipe meanwhile."""
    pipe, never = bench.folder / "pipe", threading.Event()
    os.mkfifo(pipe)

    def take_long(_event: Progress | LogLine) -> None:
        pipe.write_text("go on")
        never.wait(1.6)

    answer = bench.run(
        bench.poser(f"progress(1); open({str(pipe)!r}).read(); answer()"),
        on_event=take_long,
        limits=generous(silent_seconds=1.5),
    )
    assert answer.result == {}


def test_a_builder_whose_first_thread_has_ended_is_ended_with_the_others(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """It looks dead already, while another thread works on; the memory which that one holds takes time to be freed."""
    token = CancelToken()
    body = """
import ctypes, threading
hoard = b"x" * (256 << 20)
threading.Thread(target=lambda: (time.sleep(0.1), progress(), time.sleep(600))).start()
ctypes.CDLL(None).syscall(60, 0)  # the end of this thread alone
"""
    with pytest.raises(BuilderCancelledError):
        bench.run(bench.poser(body), on_event=lambda _event: token.cancel(), should_stop=token)
    assert caplog.messages == []
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def test_the_memory_of_a_builder_whose_first_thread_has_ended_counts(bench: Bench) -> None:
    body = """
import ctypes, threading
def hoard():
    time.sleep(0.3)
    kept = bytearray(512 << 20)
    time.sleep(600)
threading.Thread(target=hoard).start()
ctypes.CDLL(None).syscall(60, 0)
"""
    with pytest.raises(BuilderMemoryError, match="over its limit of 128 MiB"):
        bench.run(bench.poser(body), limits=generous(memory_bytes=128 << 20, wall_seconds=5))


def test_processes_that_left_the_session_cannot_hold_the_supervisor(bench: Bench) -> None:
    """They are out of reach, and write into the builder's pipe without end."""
    bench.run(
        bench.poser("""
ready, said = os.pipe()
for _ in range(4):
    if not os.fork():
        os.setsid()
        os.write(said, b"x")
        try:
            while True:
                os.write(1, b"x" * 65536)
        except BrokenPipeError:
            signal.pause()
for _ in range(4):
    os.read(ready, 1)
answer()
""")
    )
    escaped = bench.processes()
    assert len(escaped) == 4
    for process in escaped:
        process.kill()
    psutil.wait_procs(escaped)
