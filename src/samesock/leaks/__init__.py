"""Finding the descriptors that a piece of program leaves open, and the line that opened them.

Names only: `no_leaks` is the door for programs, `LeakCheckMixin` for unittest, and `samesock.pytest_plugin`
is built on the modules below. What must never be put anywhere in this package: knowledge of
`samesock.socket` or of how Unix sockets are emulated, or an import of pytest.
"""

from samesock.leaks.checking import DescriptorLeak as DescriptorLeak
from samesock.leaks.checking import LeakCheck as LeakCheck
from samesock.leaks.checking import no_leaks as no_leaks
from samesock.leaks.findings import Finding as Finding
from samesock.leaks.findings import Verdict as Verdict
from samesock.leaks.rules import Rule as Rule
from samesock.leaks.rules import RuleError as RuleError
from samesock.leaks.rules import allow as allow
from samesock.leaks.unittesting import LeakCheckMixin as LeakCheckMixin
