from app.client import Client, Waker

CLIENTS = []


def test_reconnect(server):
    client = Client(server.getsockname())
    CLIENTS.append(client)
    client.reconnect()
    Waker()
