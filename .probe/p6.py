import samesock, ctypes, threading, time, sys
k=ctypes.WinDLL("kernel32",use_last_error=True)
a,b=samesock.socketpair()
worst=0; n=0
print("alloc",k.AllocConsole(),ctypes.get_last_error()); k.SetConsoleCtrlHandler(None, 0)
for i in range(20):
    t=[0]
    def hit():
        time.sleep(.05); t[0]=time.monotonic()
        if not k.GenerateConsoleCtrlEvent(0,0): print("err",ctypes.get_last_error())
    def relief():
        time.sleep(2); b.send(b"x")
    th=threading.Thread(target=hit); th.start()
    try:
        a.settimeout(5 if i%2 else None)
        r=a.recv(1); print("returned",r)
    except KeyboardInterrupt: worst=max(worst,time.monotonic()-t[0]); n+=1
    except TimeoutError: print("timeout")
    th.join()
    if i==0 and n==0: break
print("real ctrl-c", n, f"{worst*1e3:.1f} ms")
