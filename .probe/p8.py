import time, samesock, ctypes
from samesock.winsock import blocking, pending
from samesock.winsock.calls import calls
from samesock.winsock.interrupting import interrupter
from samesock.ffi import ws2_32 as w
def best(f,n=2000,r=15):
    m=9
    for _ in range(r):
        t=time.perf_counter()
        for _ in range(n): f()
        m=min(m,(time.perf_counter()-t)/n)
    return m*1e6
s=samesock.socket()
interrupter.ready=True
def fake(*a): return b""
fake.__name__="recv"
print("fake %.2f"%best(lambda:fake(s,64,0)))
print("read %.2f"%best(lambda:blocking.read(fake,s,64,0)))
print("call %.2f"%best(lambda:blocking.call(fake,s,64,0)))
real=w.ws2_32.WSASend
w.ws2_32.WSASend=lambda *a:0
d=b"x"*64
n=s.fileno()
print("pending %.2f"%best(lambda:pending.send(n,d,0)))
print("write %.2f"%best(lambda:blocking.write(calls.send,s,d,0)))
k=ctypes.WinDLL("kernel32",use_last_error=True); f=k.GetCurrentProcessId; f.argtypes=(); f.restype=ctypes.c_uint32
print("ctypes null %.2f"%best(f))
f2=k.SetHandleInformation; 
k2=ctypes.WinDLL("kernel32"); g=k2.GetCurrentProcessId; g.argtypes=()
print("ctypes null no lasterr %.2f"%best(g))
ov=ctypes.c_int(); print("byref %.2f"%best(lambda:ctypes.byref(ov)))
