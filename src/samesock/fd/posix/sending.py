"""sendfile: the system's own, and a read and a write where it takes sockets alone or nothing.

What must never be put here: what needs no such choice.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from samesock._errors import named_error
from samesock.fd.descriptor import Descriptor, Thing, told

assert sys.platform != "win32"

_PIECE = 1 << 16
_NOT_FOR_THIS = {
    errno.EINVAL,
    errno.ENOSYS,
    errno.ENOTSOCK,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
}
"""How systems say that sendfile is not for such an output; the input is known to be a regular file by then."""


def sendfile(out: Descriptor, _: Thing, file: Descriptor, offset: int | None, count: int) -> int:
    """How many bytes were sent."""
    tried = f"sending {count} bytes of descriptor {file} to descriptor {out}"
    if count < 0 or (offset is not None and offset < 0):
        raise named_error("EINVAL", tried)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise named_error("EINVAL", f"{tried}: the source is no regular file")
        start = os.lseek(file, 0, os.SEEK_CUR) if offset is None else offset
        sent = _send(out, file, start, count)
        if offset is None:
            os.lseek(file, start + sent, os.SEEK_SET)
    except OSError as error:
        raise told(error, tried) if error.strerror and "sending" not in error.strerror else error from None
    return sent


def _send(out: Descriptor, file: Descriptor, start: int, count: int) -> int:
    if count == 0:
        return os.write(out, b"")  # macOS takes 0 for "to the end"
    try:
        return os.sendfile(out, file, start, count)
    except OSError as error:
        if error.errno not in _NOT_FOR_THIS:
            raise
    return os.write(out, os.pread(file, min(count, _PIECE), start))
