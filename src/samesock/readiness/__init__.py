"""The pollers behind `samesock.selectors`, one file each, and what each of them must do.

A poller is a subclass of `registry.Registry`, which keeps the keys, with these methods; all raise `OSError` with a
POSIX errno:

* `identify(fileobj) -> Identity`: what the object is known by: a number, or on Windows a space and a number.
  `ValueError` for what has neither; it does not look at the keys.
* `number(identity) -> int`: the number in it, which is the key's `fd`.
* `begin(identity, fileobj, events)`: start to watch. On an error nothing is watched.
* `change(identity, events)`: watch for these events from now on, even if a number was closed and reused meanwhile.
  It takes effect in a `select` that already waits in another thread.
* `end(identity)`: stop. Never raises `OSError`: what it watched may be closed already.
* `select(timeout)`, `close()`: as in `selectors.BaseSelector`.

`epoll` and `poll` and `kqueue` share `posix`; `completion` is Windows', where `afd` watches sockets through `driver`
and the files beside it everything else. What must never be put here: anything that a poller does.
"""
