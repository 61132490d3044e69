import sys; sys.path.insert(0,"tests/bench")
import contextlib, measuring, statistics, json
from ends import Alone, Client, Lane
lanes={"socket":Lane("socket","tcp"),"again":Lane("socket","tcp"),"samesock":Lane("samesock","tcp")}
for way,burst,length in (("ping-pong","ping_pong",200),("streaming","stream",8)):
    res={}
    for _ in range(3):
        with contextlib.ExitStack() as st:
            b={}
            for n,l in lanes.items():
                e=st.enter_context(contextlib.closing(Client(l))); m=getattr(e,burst); b[n]=(lambda m=m: m(length)); b[n]()
            for n,r in measuring.interleaved(b,10).items(): res.setdefault(n,[]).append(r)
    for n in ("again","samesock"):
        f=measuring.ratio_of_sittings(res[n],res["socket"]); print(way,n,f.median,f.low,f.high,flush=True)
