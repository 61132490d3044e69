"""The POSIX side of `samesock.fd`: each call is the system's own, its errors told in full.

The files here have the same names, and the same functions in them, as those in `windows`. What must never be put
here: behaviour that POSIX's calls do not have already, beside what Linux has and others lack (`sending`).
"""
