"""The Windows side of `samesock.fd`: three tables of numbers, and POSIX's behaviour over all of them.

The files here have the same names, and the same functions in them, as those in `posix`; `files` has what is
behind a HANDLE. Each can be imported anywhere and loads nothing before its first call. What must never be put
here: Unix sockets.
"""
