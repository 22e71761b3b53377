"""Entry of the builder process: request on stdin, events on the descriptor named in the last argument.

The supervisor starts it through `launch`; by hand it is `python -m trtfarm_builder 1 < request.json`. With `--ahead`
the first line on stdin tells what to load, and the second, which may come much later or never, where the request is.
"""

import contextlib
import errno
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, Dict

from trtfarm_builder import PROTOCOL, sandbox
from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadRequestError, StepError
from trtfarm_builder.operations import step_named

_AHEAD = "--ahead"
_NO_ROOM = {
    errno.ENOSPC: ("the disk is full", "free space where the farm keeps its scratch folders"),
    errno.EDQUOT: ("the disk quota is used up", "free space where the farm keeps its scratch folders"),
    errno.EFBIG: ("a file grew over the limit for files of a builder", "use a smaller model or less data"),
}


def main() -> int:
    """Does one step. Exit code 0: answered; 1: failed and said why; anything else, or a signal: a crash."""
    descriptor = int(sys.argv[-1])
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no keywords
    channel = Channel(descriptor)
    try:
        channel.answer(_perform(_request(), channel))
    except StepError as error:
        channel.failure(error.code, error.message, error.cause, error.remedy, None)
        return 1
    except MemoryError:
        channel.failure("builder_memory", "the builder ran out of memory", None, None, traceback.format_exc())
        return 1
    except OSError as error:
        _report_os_error(error, channel)
        return 1
    except Exception as error:  # noqa: BLE001 - the outermost edge: whatever it is, the supervisor must hear of it
        _report(error, channel)
        return 1
    return 0


def _request() -> Dict[str, Any]:
    """What is asked; by then this process is in the surroundings that it asks for."""
    request: Dict[str, Any]
    if _AHEAD not in sys.argv[1:-1]:
        request = json.load(sys.stdin)
        _settle(request)
        return request
    header = json.loads(sys.stdin.readline())
    _settle(header)
    # What goes wrong here does so once more when a step needs it, and is told then.
    with contextlib.suppress(Exception):
        importlib.import_module(header["ahead"])
    path = Path(sys.stdin.readline().rstrip("\n"))
    request = json.loads(path.read_text())
    os.chdir(str(path.parent))
    return request


def _settle(request: Dict[str, Any]) -> None:
    if request["protocol"] != PROTOCOL:
        raise BadRequestError("protocol {} is not {}".format(request["protocol"], PROTOCOL))
    # Absent when a person runs the step by hand.
    if "sandbox" in request:
        sandbox.enter(**request["sandbox"])
    sys.path.extend(request.get("python_path", []))


def _perform(request: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    return step_named(request["step"])(request["args"], channel)


def _report_os_error(error: OSError, channel: Channel) -> None:
    if error.errno in _NO_ROOM:
        message, remedy = _NO_ROOM[error.errno]
        channel.failure("disk_full", message, str(error), remedy, traceback.format_exc())
    else:
        _report(error, channel)


def _report(error: Exception, channel: Channel) -> None:
    channel.failure("builder", "{}: {}".format(type(error).__name__, error), None, None, traceback.format_exc())


def answer_and_exit() -> None:
    """Runs `main` and ends at once: tearing CUDA and thread pools down takes time and can crash after the answer."""
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    answer_and_exit()
