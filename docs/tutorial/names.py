"""getaddrinfo turns what people write into what the kernel takes."""

import samesock as socket

for host in ["127.0.0.1", "::1"]:
    for family, kind, _, _, address in socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM):
        print(f"{host}: {family.name}, {kind.name}, {address}")
