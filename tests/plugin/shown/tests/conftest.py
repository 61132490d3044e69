import socket

import pytest

OPEN = []


@pytest.fixture(scope="module")
def server():
    listener = socket.create_server(("127.0.0.1", 0))
    OPEN.append(listener)
    yield listener
