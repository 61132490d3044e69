"""advapi32: tokens and security descriptors.

Declarations only. Descriptors, ACLs and SIDs are read from their bytes by
`samesock.backend._security_descriptor`, so none of the functions that walk them is here.
"""

from __future__ import annotations

from typing import Final

from samesock.ffi import BOOL, DWORD, HANDLE, LPCWSTR, LPVOID, Function, Library

# winnt.h
TOKEN_QUERY: Final = 0x0008
TokenUser: Final = 1  # TOKEN_INFORMATION_CLASS
OWNER_SECURITY_INFORMATION: Final = 0x00000001
DACL_SECURITY_INFORMATION: Final = 0x00000004

# sddl.h
SDDL_REVISION_1: Final = 1


class Advapi32(Library):
    """The functions, with MSDN's parameters in MSDN's order."""

    dll = "advapi32.dll"

    # processthreadsapi.h, securitybaseapi.h
    OpenProcessToken: Function = Function(BOOL, HANDLE, DWORD, LPVOID, fails=0)
    GetTokenInformation: Function = Function(BOOL, HANDLE, DWORD, LPVOID, DWORD, LPVOID, fails=0)
    CheckTokenMembership: Function = Function(BOOL, HANDLE, LPVOID, LPVOID, fails=0)
    GetKernelObjectSecurity: Function = Function(BOOL, HANDLE, DWORD, LPVOID, DWORD, LPVOID, fails=0)

    # sddl.h. The descriptor is allocated: LocalFree it.
    ConvertStringSecurityDescriptorToSecurityDescriptorW: Function = Function(
        BOOL, LPCWSTR, DWORD, LPVOID, LPVOID, fails=0
    )


advapi32: Advapi32 = Advapi32()
