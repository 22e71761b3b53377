"""Processes of a campaign: started, killed, stopped, continued, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

#: What every process has in its environment beside its settings.
_PASSED = ("PATH", "HOME", "PYTHONPATH")


class Kept:
    """A program that is started again some time after it has died, however that came; the farm's master would do so.

    `whole` is for servers that are many processes: what happens to one happens to all of them.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        user: str | None = None,
        whole: bool = False,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._folder = folder
        self._user = user
        self._whole = whole
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        self._environment = {**passed, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._again_at: float | None = None
        self._stopped_until: float | None = None
        self._retired = False

    @property
    def process(self) -> psutil.Process | None:
        """Its first process, while that lives."""
        if self._process is None or self._process.poll() is not None:
            return None
        return psutil.Process(self._process.pid)

    def children(self) -> list[psutil.Process]:
        """What it has started itself."""
        with suppress(psutil.NoSuchProcess):
            return self.process.children() if self.process else []
        return []

    @property
    def killed(self) -> bool:
        """Whether SIGKILL has ended it."""
        return self._process is not None and self._process.poll() == -signal.SIGKILL

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._again_at = self._stopped_until = None

    def kill(self) -> bool:
        """False if it was not running."""
        return self._signal(signal.SIGKILL)

    def stop(self, seconds: float) -> bool:
        """Stops it until `look` is called that much later."""
        if self._stopped_until is not None or not self._signal(signal.SIGSTOP):
            return False
        self._stopped_until = time.monotonic() + seconds
        return True

    def look(self, pause: float) -> None:
        """Lets it go on, or starts it again `pause` seconds after its end, if it is time for that."""
        now = time.monotonic()
        if self._stopped_until is not None and now >= self._stopped_until:
            self.go_on()
        if self._retired or self.process is not None:
            return
        if self._again_at is None:
            self._again_at = now + pause
        elif now >= self._again_at:
            self.start()

    def go_on(self) -> None:
        self._stopped_until = None
        self._signal(signal.SIGCONT)

    def retire(self) -> None:
        """Kills it for good."""
        self._retired = True
        self.kill()

    def ask_to_end(self) -> None:
        """SIGTERM, without waiting."""
        if self._process is not None:
            self._process.terminate()

    def end(self, seconds: float) -> bool:
        """Waits for its end, and kills it where that does not come in so many seconds; whether it came."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def _signal(self, number: signal.Signals) -> bool:
        first = self.process
        if first is None:
            return False
        with suppress(psutil.NoSuchProcess):
            others = first.children(recursive=True) if self._whole else []
            for process in (first, *others):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            if number == signal.SIGKILL:
                self._wait()
            return True
        return False

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait()
