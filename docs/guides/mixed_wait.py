"""Wait for a child process, its output and a client at once, in one thread, on every platform."""

import subprocess
import sys

import samesock as socket
from samesock import fd, selectors

listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname(), timeout=30)
child = subprocess.Popen([sys.executable, "-c", "print('from the child')"], stdout=subprocess.PIPE)
seen, output = [], b""

with selectors.DefaultSelector() as selector:
    selector.register(listener, selectors.EVENT_READ, "client")
    selector.register(child.stdout, selectors.EVENT_READ, "output")
    selector.register(child, selectors.EVENT_READ, "ended")
    while selector.get_map():
        for key, _ in selector.select(timeout=30):
            if key.data == "output" and (data := fd.read(key.fileobj, 4096)):
                output += data
                continue  # not the end yet
            if key.data == "client":
                listener.accept()[0].close()
            if key.data == "ended":
                seen.append(f"exit code {child.wait()}")
            seen.append(key.data)
            selector.unregister(key.fileobj)

child.stdout.close()
client.close()
listener.close()
print(output.decode().strip())
print(*sorted(seen), sep="\n")
