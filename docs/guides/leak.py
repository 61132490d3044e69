"""A block that must close what it opens."""

import samesock as socket
from samesock.leaks import DescriptorLeak, no_leaks

try:
    with no_leaks():
        forgotten = socket.create_server(("127.0.0.1", 0))
except DescriptorLeak as leak:
    (finding,) = leak.findings
    print(finding.verdict, finding.kind)
    print(finding.stack[-1][3])  # the line that opened it
forgotten.close()

with no_leaks(), socket.create_server(("127.0.0.1", 0)):
    pass
print("nothing is left of the second")
