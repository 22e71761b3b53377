"""Setting what a request names in TensorRT's builder config, so that what it does not have or take is told."""

from typing import Any, Dict

from trtfarm_builder.failures import BadRequestError


def member_of(enum: Any, name: str, lacking: str) -> Any:
    """The value that one of TensorRT's enums has under a name. Raises BadRequestError, which begins with `lacking`."""
    members: Dict[str, Any] = enum.__members__
    if name not in members:
        raise BadRequestError("{} {!r}".format(lacking, name), remedy="use one of: " + ", ".join(sorted(members)))
    return members[name]


def set_number(config: Any, name: str, value: Any, software: str) -> None:
    """Raises BadRequestError for a number that `software` does not take as it is."""
    setattr(config, name, value)
    # TensorRT logs and ignores, or clamps, what is out of range.
    if getattr(config, name) != value:
        raise BadRequestError("{} cannot be {!r}; {} makes it {}".format(name, value, software, getattr(config, name)))
