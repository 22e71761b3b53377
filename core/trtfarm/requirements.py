"""Where a job may run, beside what it takes to do it: the labels of its worker, and the memory of its GPU.

They say nothing about the result, so that they are no part of its key. Memory is told in whole GiB, rounded up on both
sides: a driver keeps a little for itself, so that a GPU sold with 24 GiB has 23.99. It also keeps the kinds of
requirements few, and a claim looks at one job of each kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from trtfarm.errors import UsageError

#: Labels of a worker, and how many of them a job can require.
MOST_LABELS = 32
MOST_REQUIRED = 8
#: Digits of the memory in a word, all of them written, so that words compare as their numbers do.
MEMORY_DIGITS = 5
#: GiB; more than any GPU has.
MOST_MEMORY = 10**MEMORY_DIGITS - 1
#: Stands before and after each label in a word, and in no label: one that is taken out leaves the others whole.
_MARK = ";"
_GIB = 1 << 30
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}=[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
#: The longest word: memory, and labels of 63 characters on each side.
LONGEST_WORD = MEMORY_DIGITS + MOST_REQUIRED * (2 * 63 + 1 + 2 * len(_MARK))


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What one job asks of its worker; `labels` are sorted, and memory is of the GPU that it runs on, if on any."""

    labels: tuple[str, ...] = ()
    gpu_memory_gib: int = 0

    def __str__(self) -> str:
        memory = [f"a GPU with {self.gpu_memory_gib} GiB"] if self.gpu_memory_gib else []
        return " and ".join([*self.labels, *memory])

    @property
    def word(self) -> str:
        """As the database holds it: `00040;rack=a1;;zone=b;`."""
        return memory_word(self.gpu_memory_gib) + "".join(map(marked, self.labels))

    def joined(self, other: Requirements) -> Requirements:
        """Those of a job that somebody else wants with `other`: it runs wherever the less particular would have it.

        Where neither's labels are among the other's, the first one's stay. The larger need of memory stays: who tells
        it knows more.
        """
        fewer = set(other.labels) < set(self.labels)
        return Requirements(
            labels=other.labels if fewer else self.labels,
            gpu_memory_gib=max(self.gpu_memory_gib, other.gpu_memory_gib),
        )


#: Requires nothing.
ANYWHERE = Requirements()


def marked(label: str) -> str:
    """A label as it stands in a word."""
    return f"{_MARK}{label}{_MARK}"


def memory_word(gib: int) -> str:
    return f"{min(gib, MOST_MEMORY):0{MEMORY_DIGITS}}"


@lru_cache(maxsize=256)
def requirements_of(word: str) -> Requirements:
    """Those that a word stands for."""
    memory, labels = word[:MEMORY_DIGITS], word[MEMORY_DIGITS:]
    return Requirements(labels=tuple(filter(None, labels.split(_MARK))), gpu_memory_gib=int(memory))


def whole_gib(memory_bytes: int) -> int:
    """GiB, rounded up."""
    return -(-memory_bytes // _GIB)


def labels_of(texts: Iterable[str], *, most: int) -> tuple[str, ...]:
    """Labels as `key=value`, sorted. Raises UsageError for what is none, and for a key with two values."""
    labels = sorted(set(texts))
    for label in labels:
        if _LABEL.fullmatch(label) is None:
            raise UsageError(
                f"{label!r} is no label",
                cause="a label is KEY=VALUE, each of up to 63 letters, digits, dots, dashes and underscores",
                remedy="write it as in rack=a1",
            )
    keys = [label.partition("=")[0] for label in labels]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise UsageError(f"the label {twice[0]} has two values", remedy="name each once")
    if len(labels) > most:
        raise UsageError(f"{len(labels)} labels are too many", remedy=f"name {most} at most")
    return tuple(labels)
