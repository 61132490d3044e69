import time, threading, statistics, socket, samesock, _socket
C=_socket.socket
srv=socket.create_server(("127.0.0.1",0))
def echo(b):
    recv,send=C.recv,C.send
    def run():
        while True:
            d=recv(b,64)
            if not d: return
            send(b,d)
    threading.Thread(target=run,daemon=True).start()
socks={}
for n in ("stdlib","again","samesock"):
    m=samesock if n=="samesock" else socket
    a=m.create_connection(srv.getsockname()); b=srv.accept()[0]
    for s in (a,b): s.setsockopt(6,1,1)
    echo(b); socks[n]=a
d=b"x"*64
res={n:[] for n in socks}
for r in range(4000):
    for n,a in socks.items():
        t=time.perf_counter()
        a.send(d); a.recv(64)
        res[n].append((time.perf_counter()-t)*1e6)
for n,v in res.items():
    v.sort(); print(n, "min %.0f us  p10 %.0f  p25 %.0f median %.0f"%(v[0],v[len(v)//10],v[len(v)//4],v[len(v)//2]), "ratios", *(round(res["stdlib"][i]/v[i],3) for i in (len(v)//100,len(v)//20,len(v)//10,len(v)//4)) if n!="stdlib" else "")
