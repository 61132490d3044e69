import socket, time, threading
a,b=socket.socketpair(); a.settimeout(3)
t=time.monotonic()
try: print("stdlib timed sendall", a.sendall(b"x"*50_000_000), time.monotonic()-t)
except OSError as e: print(repr(e), time.monotonic()-t)
a,b=socket.socketpair(); a.setblocking(False)
print("stdlib nonblocking send", a.send(b"x"*50_000_000))
try: print(a.send(b"x"*1000))
except OSError as e: print(repr(e))
