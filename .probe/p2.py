import sys, time, threading, signal
import samesock, _socket
from samesock.winsock import blocking
from samesock.winsock.calls import calls
from samesock.winsock.interrupting import interrupter
# a stand-in for the other helpers' data methods
class S(samesock.socket):
    __slots__=()
    def recv(self,*a): return blocking.call(calls.recv,self,*a)
    def send(self,*a): return blocking.call(calls.send,self,*a)
    def sendall(self,*a): return blocking.call(calls.sendall,self,*a)
    def _accept(self): return blocking.call(calls.accept,self)
    def connect(self,a): return blocking.call(calls.connect,self,a)
def ours(s): s.__class__=S; return s
srv=ours(samesock.create_server(("127.0.0.1",0))); a=ours(samesock.create_connection(srv.getsockname())); b=ours(srv.accept()[0])
def interrupted(what, call, to=None):
    worst=0
    for i in range(20):
        t=[0]
        def hit():
            time.sleep(.03); t[0]=time.monotonic(); signal.raise_signal(2)
        th=threading.Thread(target=hit); th.start()
        try:
            r=call(); print(what,"returned",r)
        except KeyboardInterrupt:
            worst=max(worst,time.monotonic()-t[0])
        th.join()
    print(what, f"worst {worst*1e3:.1f} ms", flush=True)
interrupted("recv",lambda:a.recv(1)); print(interrupter.ready, threading.enumerate())
from samesock.unix.dispatch import accept_as
interrupted("accept",lambda:blocking.call(calls.accept,srv))
a.settimeout(10); interrupted("recv timed",lambda:a.recv(1)); a.settimeout(None)
fill=b"x"*30_000_000
interrupted("sendall",lambda:a.sendall(fill))
for t in (0.05,0.2,0.5):
    b.settimeout(t); 
    a2=ours(samesock.create_connection(srv.getsockname())); b2=ours(samesock.socket(fileno=blocking.call(calls.accept,srv)[0]))
    a2.settimeout(t); s=time.monotonic()
    try: a2.recv(1)
    except TimeoutError as e: print("timeout",t,f"{time.monotonic()-s:.3f}",e)
    # wake
    for what, sock, call in (("recv",a2,lambda:a2.recv(1)),):
        sock.settimeout(None); res=[]
        def run():
            try: res.append(call())
            except OSError as e: res.append((e.errno,e.winerror,type(e),str(e),time.monotonic()))
        th=threading.Thread(target=run); th.start(); time.sleep(.1); s=time.monotonic(); sock.close(wake=True); th.join(3); print(what,"woken",res,f"{(time.monotonic()-s)*1e3:.1f}")
for how in (0,2):
    a2=ours(samesock.create_connection(srv.getsockname())); b2=ours(samesock.socket(fileno=blocking.call(calls.accept,srv)[0]))
    res=[]
    def run():
        try: res.append(a2.recv(5))
        except OSError as e: res.append(e)
    th=threading.Thread(target=run); th.start(); time.sleep(.1); a2.shutdown(how); th.join(3); print("shutdown",how,res,th.is_alive())
    a2.settimeout(1)
    print(a2.recv(4))
res=[]
def run():
    try: res.append(blocking.call(calls.accept,srv))
    except OSError as e: res.append(e)
th=threading.Thread(target=run); th.start(); time.sleep(.1); srv.shutdown(0); th.join(3); print("shutdown listener",res,th.is_alive())
u=samesock.socket(); 
try: u.shutdown(2)
except OSError as e: print("unconnected", e)
