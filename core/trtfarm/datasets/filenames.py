"""Input names as file names.

Inputs may be called `x:0` or `encoder/ids`. The file of an input is `<name>.npy`, with every byte of the name's UTF-8
outside of `A-Z a-z 0-9 _ - .` written `%XX` (hexadecimal, upper case), a leading dot too: `x%3A0.npy`,
`encoder%2Fids.npy`. Names longer than 180 characters in that form are cut there and end in `-` and 16 hexadecimal
digits of their SHA-256. Where data is looked for, the plain name does as well if it can be a file name (`x:0.npy`).
"""

from __future__ import annotations

import hashlib
import string

_SAFE = frozenset((string.ascii_letters + string.digits + "_-.").encode())
_LONGEST = 180
_DIGITS = 16
#: The labels' file in a prepared data set: no input's file can have this name.
LABELS_FILE = "@labels.npy"


def file_name_of(name: str) -> str:
    """The name of an input's `.npy`, safe to join to a folder."""
    encoded = "".join(
        chr(byte) if byte in _SAFE and not (index == 0 and byte == ord(".")) else f"%{byte:02X}"
        for index, byte in enumerate(name.encode())
    )
    if len(encoded) > _LONGEST:
        encoded = encoded[:_LONGEST] + "-" + hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{encoded}.npy"


def file_names_of(name: str) -> tuple[str, ...]:
    """The names under which an input's data is looked for, the first is preferred."""
    safe = file_name_of(name)
    plain = f"{name}.npy"
    return (safe,) if plain == safe or "/" in name or "\0" in name or len(plain) > _LONGEST else (safe, plain)
