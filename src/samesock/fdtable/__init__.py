"""The descriptor table: what a process has open, with what the kernel knows of it.

Names only. What must never be put here or anywhere below: anything that knows of `samesock.socket` or of how Unix
sockets are emulated. Those plug themselves in with `register_annotator`.
"""

from samesock.fdtable.keys import keys as keys
from samesock.fdtable.words import Identity as Identity
from samesock.fdtable.words import Key as Key
from samesock.fdtable.words import Kind as Kind
from samesock.fdtable.words import Space as Space
