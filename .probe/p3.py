import sys, time, threading, signal, statistics
import samesock, _socket, socket
from samesock.winsock import blocking, sending
from samesock.winsock.calls import calls
srv=socket.create_server(("127.0.0.1",0)); 
def pair():
    a=socket.create_connection(srv.getsockname()); b=srv.accept()[0]; return a,b
C=_socket.socket
def echo(b):
    recv,send=C.recv,C.send
    def run():
        while True:
            d=recv(b,64)
            if not d: return
            send(b,d)
    threading.Thread(target=run,daemon=True).start()
def ours_c(a,d):  C.send(a,d); return blocking.read(calls.recv,a,64)
def ours_o(a,d):  sending.send(C.fileno(a),d,0); return blocking.read(calls.recv,a,64)
def plain(a,d): C.send(a,d); return C.recv(a,64)
lanes={"plain":plain,"again":plain,"c":ours_c,"o":ours_o}
socks={}
for n in lanes:
    a,b=pair(); a.setsockopt(6,1,1); b.setsockopt(6,1,1); echo(b); socks[n]=a
d=b"x"*64
res={n:[] for n in lanes}
for r in range(40):
    for n,f in lanes.items():
        a=socks[n]; t=time.perf_counter()
        for _ in range(100): f(a,d)
        res[n].append(100/(time.perf_counter()-t))
base=statistics.median(res["plain"])
for n in lanes: print(n, round(statistics.median(res[n])), round(statistics.median(res[n])/base,3))
a,b=pair()
def cost(f,n=3000):
    t=time.perf_counter()
    for _ in range(n): f()
    return (time.perf_counter()-t)/n*1e6
def drain():
    while b.recv(1<<20): pass
threading.Thread(target=drain,daemon=True).start()
for i in range(3):
    print("C send %.1f"%cost(lambda:C.send(a,d)), "overlapped %.1f"%cost(lambda:sending.send(C.fileno(a),d,0)))
big=b"x"*(1<<20)
for i in range(3):
    print("C sendall 1M %.1f"%cost(lambda:C.sendall(a,big),30), "overlapped %.1f"%cost(lambda:sending.send(C.fileno(a),big,0),30))
