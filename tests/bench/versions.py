"""Print which Wine this Windows Python runs under; the benchmarks' page names it. Nothing else belongs here."""

import ctypes
import platform
import sys

if sys.platform == "win32":
    get = ctypes.CDLL("ntdll").wine_get_version
    get.restype = ctypes.c_char_p
    print(f"{get().decode()}, with Windows CPython {platform.python_version()}")
