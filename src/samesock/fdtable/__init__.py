"""The descriptor table: what a process has open, with what the kernel knows of it.

Names only. What must never be put here or anywhere below: anything that knows of `samesock.socket`, or of how
Unix sockets are emulated. Those plug themselves in with `register_annotator`.
"""

from samesock.fdtable.annotators import Annotation as Annotation
from samesock.fdtable.annotators import register_annotator as register_annotator
from samesock.fdtable.difference import Changed as Changed
from samesock.fdtable.difference import Difference as Difference
from samesock.fdtable.difference import Replaced as Replaced
from samesock.fdtable.difference import diff as diff
from samesock.fdtable.holding import Holder as Holder
from samesock.fdtable.holding import Holders as Holders
from samesock.fdtable.holding import holders as holders
from samesock.fdtable.keys import keys as keys
from samesock.fdtable.model import Frame as Frame
from samesock.fdtable.model import OpenDescriptor as OpenDescriptor
from samesock.fdtable.model import Origin as Origin
from samesock.fdtable.model import Owner as Owner
from samesock.fdtable.model import Peer as Peer
from samesock.fdtable.model import SocketInfo as SocketInfo
from samesock.fdtable.snapshot import Snapshot as Snapshot
from samesock.fdtable.taking import describe as describe
from samesock.fdtable.taking import snapshot as snapshot
from samesock.fdtable.taking import watch as watch
from samesock.fdtable.words import Identity as Identity
from samesock.fdtable.words import Key as Key
from samesock.fdtable.words import Kind as Kind
from samesock.fdtable.words import Space as Space
