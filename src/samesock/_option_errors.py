"""What a failed setsockopt or getsockopt means: that there is no such option, or something else.

What must never be put here: a message of one caller's, an option's encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from samesock import _errors

_WSAEFAULT, _WSAEINVAL, _WSAENOPROTOOPT, _WSAEOPNOTSUPP = 10014, 10022, 10042, 10045
_LACKING: Final = frozenset({_WSAEINVAL, _WSAENOPROTOOPT, _WSAEOPNOTSUPP})
_INT: Final = 4


def refused(error: OSError, said: str, readable: Callable[[int], Any] | None) -> OSError:
    """The exception to raise for `error`: ENOPROTOOPT for an option that the system, or this kind of socket, lacks.

    Winsock says that in three ways, and WSAEINVAL is also its word for a value out of range. So after a failure to
    set, `readable` is asked for 4 bytes of the option: what can be read is there. `None` if reading has failed.
    """
    code = getattr(error, "winerror", None)
    if not code:
        if error.errno == _errors.number_of("EOPNOTSUPP"):  # Linux's word, for a socket of AF_UNIX
            return _errors.named_error("ENOPROTOOPT", said)
        return error if error.errno is None else OSError(error.errno, f"{error.strerror} ({said})")
    if code in (_WSAENOPROTOOPT, _WSAEOPNOTSUPP) or (code == _WSAEINVAL and not _can(readable)):
        return _errors.named_error("ENOPROTOOPT", said, code=code)
    if code == _WSAEFAULT:  # a value of the wrong size
        return _errors.named_error("EINVAL", said, code=code)
    return _errors.error(code, said)


def _can(readable: Callable[[int], Any] | None) -> bool:
    if readable is None:
        return False
    try:
        readable(_INT)
    except OSError as error:
        return getattr(error, "winerror", None) not in _LACKING
    return True
