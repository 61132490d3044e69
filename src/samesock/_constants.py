"""Constants that every platform has in samesock: flags of messages, errors of name resolution.

Where the interpreter has a name, it is that object. MSG_DONTWAIT, which Winsock lacks and samesock emulates there, has
Linux's number then, which Winsock uses for nothing; MSG_NOSIGNAL asks for nothing where it is lacking, since Python
ignores SIGPIPE. An error that a system never gives has glibc's number, which is negative, as no other system's is.
What must never be put here: what a constant does.
"""

from __future__ import annotations

import socket as _stdlib

MSG_DONTWAIT: int = getattr(_stdlib, "MSG_DONTWAIT", 0x40)
MSG_NOSIGNAL: int = getattr(_stdlib, "MSG_NOSIGNAL", 0)
EAI_ADDRFAMILY: int = getattr(_stdlib, "EAI_ADDRFAMILY", -9)
EAI_AGAIN: int = getattr(_stdlib, "EAI_AGAIN", -3)
EAI_BADFLAGS: int = getattr(_stdlib, "EAI_BADFLAGS", -1)
EAI_FAIL: int = getattr(_stdlib, "EAI_FAIL", -4)
EAI_FAMILY: int = getattr(_stdlib, "EAI_FAMILY", -6)
EAI_MEMORY: int = getattr(_stdlib, "EAI_MEMORY", -10)
EAI_NODATA: int = getattr(_stdlib, "EAI_NODATA", -5)
EAI_NONAME: int = getattr(_stdlib, "EAI_NONAME", -2)
EAI_OVERFLOW: int = getattr(_stdlib, "EAI_OVERFLOW", -12)
EAI_SERVICE: int = getattr(_stdlib, "EAI_SERVICE", -8)
EAI_SOCKTYPE: int = getattr(_stdlib, "EAI_SOCKTYPE", -7)
EAI_SYSTEM: int = getattr(_stdlib, "EAI_SYSTEM", -11)
