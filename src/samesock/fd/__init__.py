"""One set of operations for everything that is a descriptor, with POSIX's behaviour on every platform.

Every function takes an object with `fileno()`, a plain number, or a `Descriptor`, which also says which of
Windows' three tables the number belongs to. A number that is not open is `EBADF`; every other failure is an
`OSError` with POSIX's errno and a message that says what was tried on what. Names only; what must never be put
here, or anywhere in this package: passing over a socket, and waiting.
"""

from samesock.fd.descriptor import Descriptor as Descriptor
from samesock.fd.descriptor import HasFileno as HasFileno
from samesock.fd.fifos import mkfifo as mkfifo
from samesock.fd.fifos import open_fifo as open_fifo
from samesock.fd.flow import read as read
from samesock.fd.flow import readv as readv
from samesock.fd.flow import sendfile as sendfile
from samesock.fd.flow import write as write
from samesock.fd.flow import writev as writev
from samesock.fd.spawning import closefrom as closefrom
from samesock.fd.spawning import inherited as inherited
from samesock.fd.spawning import spawn_passing as spawn_passing
from samesock.fd.state import close as close
from samesock.fd.state import dup as dup
from samesock.fd.state import dup2 as dup2
from samesock.fd.state import fdopen as fdopen
from samesock.fd.state import from_handle as from_handle
from samesock.fd.state import get_blocking as get_blocking
from samesock.fd.state import get_inheritable as get_inheritable
from samesock.fd.state import handle as handle
from samesock.fd.state import is_open as is_open
from samesock.fd.state import kind as kind
from samesock.fd.state import pipe as pipe
from samesock.fd.state import set_blocking as set_blocking
from samesock.fd.state import set_inheritable as set_inheritable

__all__ = [
    "Descriptor",
    "HasFileno",
    "close",
    "closefrom",
    "dup",
    "dup2",
    "fdopen",
    "from_handle",
    "get_blocking",
    "get_inheritable",
    "handle",
    "inherited",
    "is_open",
    "kind",
    "mkfifo",
    "open_fifo",
    "pipe",
    "read",
    "readv",
    "sendfile",
    "set_blocking",
    "set_inheritable",
    "spawn_passing",
    "write",
    "writev",
]
