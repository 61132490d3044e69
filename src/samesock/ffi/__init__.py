"""Declarations of foreign functions and structures, one module per library.

What belongs here: constants under the SDK header they come from, `ctypes` structures with their Win32 names, and
one line per function with its failure value. Every module can be imported on every operating system; a library is
loaded only when the first function of it is called. What must never be put here: decisions, translations of
errors, anything that a caller above `backend` or `unix` would want to call.
"""
