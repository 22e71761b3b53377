"""Entry of the builder process: request on stdin, events on the descriptor named in the first argument."""

import json
import sys
import traceback

from trtfarm_builder import PROTOCOL
from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadRequestError, StepError
from trtfarm_builder.operations import step_named


def main() -> int:
    """Does one step. Exit code 0: answered; 1: failed and said why; anything else, or a signal: a crash."""
    channel = Channel(int(sys.argv[1]))
    try:
        request = json.load(sys.stdin)
        if request["protocol"] != PROTOCOL:
            raise BadRequestError("protocol {} is not {}".format(request["protocol"], PROTOCOL))
        channel.answer(step_named(request["step"])(request["args"], channel))
    except StepError as error:
        channel.failure(error.code, error.message, error.cause, error.remedy, None)
        return 1
    except MemoryError:
        channel.failure("builder_memory", "the builder ran out of memory", None, None, traceback.format_exc())
        return 1
    except Exception as error:  # noqa: BLE001 - the outermost edge: whatever it is, the supervisor must hear of it
        text = "{}: {}".format(type(error).__name__, error)
        channel.failure("builder", text, None, None, traceback.format_exc())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
