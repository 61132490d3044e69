import ctypes, socket, threading, time, signal, sys, struct
k = ctypes.WinDLL("kernel32", use_last_error=True); nt = ctypes.WinDLL("ntdll")
P=ctypes.c_void_p
k.OpenThread.restype=P; k.OpenThread.argtypes=(ctypes.c_uint32,ctypes.c_int,ctypes.c_uint32)
k.QueueUserAPC.argtypes=(P,P,ctypes.c_size_t)
k.CancelIoEx.argtypes=(P,P)
k.CreateEventW.restype=P; k.CreateEventW.argtypes=(P,ctypes.c_int,ctypes.c_int,P)
k.WaitForMultipleObjects.argtypes=(ctypes.c_uint32,P,ctypes.c_int,ctypes.c_uint32); k.WaitForMultipleObjects.restype=ctypes.c_uint32
CancelIo=ctypes.cast(k.CancelIo,P).value
sig=ctypes.pythonapi._PyOS_SigintEvent; sig.restype=P; sig.argtypes=()
ev=sig(); print("sigint", ev)
tid=threading.main_thread().native_id
h=k.OpenThread(0x0010,0,tid)
srv=socket.create_server(("127.0.0.1",0)); a=socket.create_connection(srv.getsockname()); b,_=srv.accept()
def try_(what, call, cancel):
    t0=[0]
    def f():
        time.sleep(0.1); t0[0]=time.monotonic(); cancel()
    threading.Thread(target=f).start()
    try: r=call(); print(what, "returned", r)
    except OSError as e: print(what, e.errno, e.winerror, f"{(time.monotonic()-t0[0])*1e3:.1f} ms")
for what, s, call in (("recv",a,lambda:a.recv(1)),("accept",srv,lambda:srv.accept()),("recv_into",a,lambda:a.recv_into(bytearray(9)))):
    try_(what+" apc", call, lambda: print("q", k.QueueUserAPC(CancelIo,h,s.fileno())))
    try_(what+" ex", call, lambda: k.CancelIoEx(s.fileno(),None))
# two threads: main recv, other in sendall blocked
done=[]
def blocked_send():
    try: a.sendall(b"x"*50_000_000); done.append("ok")
    except OSError as e: done.append(e)
t=threading.Thread(target=blocked_send); t.start(); time.sleep(0.3)
try_("recv apc beside send", lambda:a.recv(1), lambda: k.QueueUserAPC(CancelIo,h,a.fileno()))
time.sleep(.1); print("sender", done, t.is_alive())
n=0
while t.is_alive() or n<50_000_000:
    d=b.recv(1<<20); n+=len(d)
    if n>=50_000_000: break
t.join(); print("sent", done, n)
# AFD poll on the socket itself
class IOSB(ctypes.Structure): _fields_=[("s",ctypes.c_size_t),("i",ctypes.c_size_t)]
nt.NtDeviceIoControlFile.argtypes=(P,P,P,P,P,ctypes.c_uint32,P,ctypes.c_uint32,P,ctypes.c_uint32)
event=k.CreateEventW(None,1,0,None)
buf=(ctypes.c_uint8*48)(); io=IOSB()
def ask(handles, mask):
    struct.pack_into("qII",buf,0,0x7FFFFFFFFFFFFFFF,len(handles),0)
    for i,hh in enumerate(handles): struct.pack_into("QII",buf,16+16*i,hh,mask,0)
    io.s=0x103
    return nt.NtDeviceIoControlFile(handles[0],event,None,None,ctypes.byref(io),0x12024,buf,16+16*len(handles),buf,16+16*len(handles)) & 0xffffffff
r=ask([a.fileno(),b.fileno()],1); print("ask", hex(r))
threading.Timer(0.1, lambda: a.send(b"z")).start()
hs=(P*2)(event,ev)
w=k.WaitForMultipleObjects(2,hs,0,2000); print("wait",w,hex(io.s),bytes(buf)[:48].hex())
b.recv(1)
r=ask([a.fileno()],1); print("ask", hex(r)); threading.Timer(0.1, lambda: k.CancelIoEx(a.fileno(),None)).start()
w=k.WaitForMultipleObjects(2,hs,0,2000); print("wait cancelled",w,hex(io.s))
k.ResetEvent(P(ev))
r=ask([a.fileno()],1); threading.Timer(0.1, lambda: signal.raise_signal(signal.SIGINT)).start()
try:
    w=k.WaitForMultipleObjects(2,hs,0,2000); print("wait sigint",w,hex(io.s)); time.sleep(0.01)
except KeyboardInterrupt: print("KI")
k.CancelIoEx.argtypes=(P,P)
print(k.CancelIoEx(a.fileno(),ctypes.byref(io)), hex(io.s)); k.WaitForMultipleObjects(1,hs,0,2000); print(hex(io.s))
# costs
def cost(f,n=2000):
    t=time.perf_counter()
    for _ in range(n): f()
    return (time.perf_counter()-t)/n*1e6
print("ctypes Reset %.1f"%cost(lambda:k.ResetEvent(event)))
import select
print("select0 %.1f"%cost(lambda:select.select([a],[],[],0)))
print("fionbio %.1f"%cost(lambda:a.settimeout(None)))
print("gettimeout %.2f"%cost(lambda:a.gettimeout()))
def pp():
    a.send(b"x"*64); b.recv(64)
print("send+recv ready %.1f"%cost(pp))
def echo():
    while 1:
        d=b.recv(64)
        if not d: break
        b.send(d)
th=threading.Thread(target=echo); th.start()
def trip(): a.send(b"x"*64); a.recv(64)
print("trip %.1f"%cost(trip)); a.close(); th.join()
