# POSIX and Windows: close(wake=True) on accept, connect, recv
import samesock, threading, time, sys, tempfile, os
net=samesock
def blocked(what, sock, call, act):
    res=[]
    def run():
        try: res.append(call())
        except OSError as e: res.append((type(e).__name__,e.errno,str(e)))
    th=threading.Thread(target=run,daemon=True); th.start(); time.sleep(.15); s=time.monotonic()
    act(); d=time.monotonic()-s; th.join(3); print(f"{what:40} {res} closer {d*1e3:.1f} ms, all {(time.monotonic()-s)*1e3:.1f} ms, alive={th.is_alive()} fileno={sock.fileno()}", flush=True)
for to in (None, 30):
    l=net.create_server(("127.0.0.1",0)); l.settimeout(to); blocked(f"accept tcp {to}", l, l.accept, lambda: l.close(wake=True))
    l=net.create_server(("127.0.0.1",0)); l.settimeout(to)
    a=net.create_connection(l.getsockname()); b=l.accept()[0]; a.settimeout(to)
    blocked(f"recv tcp {to}", a, lambda:a.recv(1), lambda: a.close(wake=True))
    d=net.socket(net.AF_INET, net.SOCK_DGRAM); d.bind(("127.0.0.1",0)); d.settimeout(to)
    blocked(f"recv udp {to}", d, lambda:d.recv(1), lambda: d.close(wake=True))
    a,b=net.socketpair(); a.settimeout(to)
    blocked(f"recv pair {to}", a, lambda:a.recv(1), lambda: a.close(wake=True))
    a,b=net.socketpair(); a.settimeout(to)
    blocked(f"sendall pair {to}", a, lambda:a.sendall(b"x"*50_000_000), lambda: a.close(wake=True))
    folder=tempfile.mkdtemp(); p=os.path.join(folder,"s")
    u=net.socket(net.AF_UNIX); u.bind(p); u.listen(1); u.settimeout(to)
    blocked(f"accept unix {to}", u, u.accept, lambda: u.close(wake=True))
    p=os.path.join(folder,"t"); u=net.socket(net.AF_UNIX); u.bind(p); u.listen(0)
    fill=[]
    for i in range(12):
        c=net.socket(net.AF_UNIX); c.settimeout(.2)
        try: c.connect(p); fill.append(c)
        except OSError: break
    c=net.socket(net.AF_UNIX); c.settimeout(to)
    blocked(f"connect unix full {to}", c, lambda:c.connect(p), lambda: c.close(wake=True))
    u.close()
    l=net.socket(); l.bind(("127.0.0.1",0)); l.listen(0); fill=[]
    for i in range(12):
        c=net.socket(); c.settimeout(.2)
        try: c.connect(l.getsockname()); fill.append(c)
        except OSError: break
    c=net.socket(); c.settimeout(to)
    blocked(f"connect tcp full {to}", c, lambda:c.connect(l.getsockname()), lambda: c.close(wake=True))
