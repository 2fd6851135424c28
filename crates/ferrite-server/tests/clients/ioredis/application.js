// What an application does with ioredis, at the server whose port is given. Prints a line for each
// thing that was done with what came back: the same for every server.

import Redis from "ioredis";

const port = Number(process.argv[2]);
const redis = new Redis({ port, connectionName: "application", lazyConnect: true });
const told = (name, value) => console.log(`${name}: ${JSON.stringify(value)}`);
const failure = (promise) => promise.then(() => "no error", (error) => error.message.split(" script:")[0]);

await redis.connect();
await redis.flushall();
told("ready", [redis.status, await redis.client("GETNAME"), await redis.select(1), await redis.select(0)]);

told("strings", [await redis.set("k", "v", "EX", 1000), await redis.get("k"), await redis.ttl("k") > 900, await redis.set("k", "w", "NX")]);
told("numbers", [await redis.incr("n"), await redis.incrbyfloat("f", 1.5), await redis.mset({ a: 1, b: 2 }), await redis.mget("a", "b", "none")]);
told("hash", [await redis.hset("h", { x: 1, y: 2 }), await redis.hgetall("h"), await redis.hmget("h", "x", "z")]);
told("list", [await redis.rpush("l", 1, 2, 3), await redis.lrange("l", 0, -1), await redis.lpop("l", 2)]);
told("set", [await redis.sadd("s", "a", "b"), (await redis.smembers("s")).sort(), await redis.smismember("s", "a", "z")]);
told("sorted set", [await redis.zadd("z", 1, "one", 2.5, "two"), await redis.zrange("z", 0, -1, "WITHSCORES"), await redis.zpopmin("z")]);
told("buffers", (await redis.getBuffer("k")).toString("hex"));
told("errors", [await failure(redis.lpush("k", 1)), await failure(redis.call("NOSUCH", "a")), await failure(redis.call("GET"))]);

told("pipeline", await redis.pipeline().set("p", 1).incr("p").get("p").exec());
told("transaction", await redis.multi().set("t", 1).incr("t").hgetall("h").exec());
told("aborted", await failure(redis.multi().set("t").exec()));
await redis.watch("t");
await redis.duplicate().set("t", 9);
told("watched", await redis.multi().incr("t").exec());

redis.defineCommand("add", { numberOfKeys: 1, lua: "return {KEYS[1], redis.call('INCRBY', KEYS[1], ARGV[1])}" });
told("script", [await redis.add("counter", 2), await redis.add("counter", 3)]);
await redis.script("FLUSH");
told("script again", await redis.add("counter", 4));
told("script error", await failure(redis.eval("return redis.call('LPUSH', KEYS[1], 1)", 1, "k")));

const listener = redis.duplicate();
const messages = [];
const heard = new Promise((resolve) => {
  listener.on("message", (channel, text) => messages.push([channel, text]));
  listener.on("pmessage", (pattern, channel, text) => { messages.push([pattern, channel, text]); resolve(); });
});
told("subscribed", [await listener.subscribe("news"), await listener.psubscribe("n*")]);
told("receivers", await redis.publish("news", "hello"));
await heard;
told("messages", messages);
told("left", [await listener.unsubscribe("news"), await listener.punsubscribe("n*"), await listener.ping()]);

const waiter = redis.duplicate();
const element = waiter.blpop("q1", "q2", 5);
while (!/blocked_clients:1/.test(await redis.info("clients"))) { /* until it waits */ }
await redis.rpush("q2", "element");
told("blpop", [await element, await waiter.blpop("q1", 0.01)]);

told("xadd", [await redis.xadd("x", "1-1", "f", "v"), await redis.xadd("x", "2-1", "f", "w")]);
told("group", [await redis.xgroup("CREATE", "x", "g", 0), await redis.xreadgroup("GROUP", "g", "me", "COUNT", 1, "STREAMS", "x", ">")]);
told("acknowledged", [await redis.xack("x", "g", "1-1"), await redis.xpending("x", "g"), await redis.xrange("x", "-", "+")]);

const names = new Set();
await redis.mset(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`scan:${n}`, n])));
for await (const keys of redis.scanStream({ match: "scan:*", count: 50 })) keys.forEach((key) => names.add(key));
told("scan", names.size);

// A connection that is lost is made again, and what was asked meanwhile is answered.
const killed = redis.duplicate();
await killed.ping();
await redis.client("KILL", "ID", await killed.client("ID"));
told("again", await killed.get("k"));

[redis, listener, waiter, killed].forEach((client) => client.disconnect());
process.exit(0);
