"""What an application does with redis-py, at the server whose port is given, in RESP2 and RESP3.

Prints a line for each thing that was done with what came back: the same for every server.
"""

import sys
import threading

import redis

PORT = int(sys.argv[1])


def connect(protocol, **options):
    return redis.Redis(
        port=PORT, protocol=protocol, decode_responses=True, socket_timeout=10,
        client_name="application", **options
    )


def told(name, value):
    print(f"{name}: {value!r}")


def setting_up(r, protocol):
    told("ping", r.ping())
    told("name", r.client_getname())
    me = r.client_info()
    told("protocol and library", (me["resp"], me["lib-name"]))
    told("no cluster", r.info("cluster"))
    told("database", connect(protocol, db=3).set("elsewhere", 1) and r.get("elsewhere"))
    told("health", connect(protocol, health_check_interval=1).ping())
    try:
        connect(protocol, password="wrong").ping()
    except redis.exceptions.AuthenticationError as error:
        told("password", str(error)[:40])
    told("config", r.config_get("maxmemory-policy"))
    told("acl", r.acl_whoami())


def plain(r):
    told("set", [r.set("k", "v", ex=1000), r.set("k", "w", nx=True), r.get("k"), r.set("k", "x", get=True)])
    told("ttl", r.ttl("k") > 900)
    told("numbers", [r.incr("n", 5), r.decr("n"), r.incrbyfloat("f", 1.5)])
    told("many", [r.mset({"a": "1", "b": "2"}), r.mget("a", "b", "none")])
    told("hash", [r.hset("h", mapping={"x": 1, "y": 2}), r.hgetall("h"), r.hincrby("h", "x", 4), r.hmget("h", "x", "z")])
    told("list", [r.rpush("l", 1, 2, 3), r.lrange("l", 0, -1), r.lpos("l", 2), r.lpop("l", 2)])
    told("set type", [r.sadd("s", "a", "b"), r.sismember("s", "a"), r.smismember("s", ["a", "z"]), sorted(r.smembers("s"))])
    told("sorted set", [
        r.zadd("z", {"one": 1, "two": 2.5}), r.zrange("z", 0, -1, withscores=True),
        r.zscore("z", "two"), r.zincrby("z", 2, "one"), r.zpopmin("z"), r.zrank("z", "one", withscore=True),
    ])
    told("places", [r.geoadd("g", (13.36, 38.11, "Palermo")), r.geopos("g", "Palermo"), r.geodist("g", "Palermo", "Palermo")])
    told("bits", [r.setbit("bits", 7, 1), r.bitcount("bits"), r.bitfield("bf").set("u8", 0, 255).incrby("u8", 0, 1).execute()])
    told("distinct", [r.pfadd("p", 1, 2), r.pfcount("p")])
    told("dump", [r.restore("copy", 0, redis.Redis(port=PORT).dump("l")), r.lrange("copy", 0, -1)])
    for wrong in (lambda: r.lpush("k", 1), lambda: r.execute_command("NOSUCH", "a"), lambda: r.execute_command("GET")):
        try:
            wrong()
        except redis.exceptions.ResponseError as error:
            told("error", str(error))


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        told("pipeline", pipe.set("p1", 1).incr("p1").get("p1").execute())
    with r.pipeline() as pipe:
        told("transaction", pipe.set("t", 1).hgetall("h").lrange("l", 0, -1).execute())
    with r.pipeline() as pipe:
        pipe.watch("t")
        r.set("t", 5)
        pipe.multi()
        pipe.set("t", 6)
        try:
            pipe.execute()
        except redis.exceptions.WatchError:
            told("watch", r.get("t"))
    told("optimistic", r.transaction(lambda pipe: (pipe.multi(), pipe.incr("t")), "t"))
    with r.pipeline() as pipe:
        told("errors in it", [str(x) for x in pipe.set("t", "a").incr("t").get("t").execute(raise_on_error=False)])


def scripts(r):
    script = r.register_script("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
    told("script", [script(keys=["counter"], args=["a"]), script(keys=["counter"], args=["b"])])
    r.script_flush()
    told("script again", script(keys=["counter"], args=["c"]))
    library = "#!lua name=lib\nredis.register_function('twice', function(k, a) return a[1] * 2 end)"
    told("function", [r.function_load(library, replace=True), r.fcall("twice", 0, 21), r.function_delete("lib")])
    try:
        r.eval("return redis.call('LPUSH', KEYS[1], 1)", 1, "k")
    except redis.exceptions.ResponseError as error:
        told("script error", str(error).split(" script:")[0])


def messages(r, protocol):
    listener = connect(protocol).pubsub()
    listener.subscribe("news")
    listener.psubscribe("n*")
    told("subscribed", [listener.get_message(timeout=5) for _ in range(2)])
    told("receivers", r.publish("news", "hello"))
    told("messages", [listener.get_message(timeout=5) for _ in range(2)])
    told("channels", [r.pubsub_channels(), r.pubsub_numsub("news"), r.pubsub_numpat()])
    listener.ping()
    told("ping", listener.get_message(timeout=5))
    listener.unsubscribe()
    told("left", listener.get_message(timeout=5))
    listener.close()


def waiting(r, protocol):
    other = connect(protocol)
    got = []
    waiter = threading.Thread(target=lambda: got.append(other.blpop(["q1", "q2"], timeout=5)))
    waiter.start()
    while r.info("clients")["blocked_clients"] == 0:
        pass
    r.rpush("q2", "element")
    waiter.join()
    told("blpop", got)
    told("in vain", [r.blpop("q1", timeout=0.01), r.bzpopmin("none", timeout=0.01)])
    told("blmove", [r.rpush("q1", "x"), r.blmove("q1", "q3", 1, "LEFT", "RIGHT"), r.blmpop(1, 1, "q3", direction="LEFT")])


def streams(r):
    told("xadd", [r.xadd("x", {"f": n}, id=f"{n}-1") for n in (1, 2, 3)])
    told("xrange", [r.xrange("x"), r.xrevrange("x", count=1), r.xlen("x")])
    told("xread", [r.xread({"x": "1-1"}, count=1), r.xread({"x": "$"}, block=10)])
    told("group", r.xgroup_create("x", "g", id="0"))
    told("xreadgroup", r.xreadgroup("g", "me", {"x": ">"}, count=2))
    told("pending", [r.xpending("x", "g"), r.xack("x", "g", "1-1"), len(r.xpending_range("x", "g", "-", "+", 10))])
    told("claim", [r.xautoclaim("x", "g", "you", 0), r.xclaim("x", "g", "me", 0, ["2-1"], justid=True)])
    told("info", [r.xinfo_groups("x"), r.xinfo_stream("x")["length"]])
    told("xtrim", r.xtrim("x", maxlen=1))


def scanning(r):
    r.mset({f"scan:{n}": n for n in range(300)})
    r.hset("large", mapping={f"f{n}": n for n in range(300)})
    r.zadd("ranks", {f"m{n}": n for n in range(300)})
    r.sadd("members", *range(300))
    told("scan", len(set(r.scan_iter("scan:*", count=50))))
    told("hscan", sorted(r.hscan_iter("large"))[:3])
    told("zscan", sorted(r.zscan_iter("ranks"))[:3])
    told("sscan", len(set(r.sscan_iter("members"))))
    told("by type", sorted(r.scan_iter(_type="ZSET")))


for protocol in (2, 3):
    print(f"protocol {protocol}")
    client = connect(protocol)
    client.flushall()
    setting_up(client, protocol)
    plain(client)
    pipelines(client)
    scripts(client)
    messages(client, protocol)
    waiting(client, protocol)
    streams(client)
    scanning(client)
