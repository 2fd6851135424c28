// What an application does with go-redis, at the server whose port is given, in RESP2 and RESP3.
// Prints a line for each thing that was done with what came back: the same for every server.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

func told(name string, values ...any) {
	fmt.Printf("%s: %v\n", name, values)
}

// The result of a command, or its error.
func result[T any](value T, err error) any {
	if err != nil {
		return strings.Split(err.Error(), " script:")[0]
	}
	return value
}

func plain(r *redis.Client) {
	told("ping", result(r.Ping(ctx).Result()), result(r.ClientGetName(ctx).Result()))
	told("strings", result(r.Set(ctx, "k", "v", 1000*time.Second).Result()), result(r.Get(ctx, "k").Result()),
		r.TTL(ctx, "k").Val() > 900*time.Second, result(r.SetNX(ctx, "k", "w", 0).Result()), result(r.Get(ctx, "none").Result()))
	told("numbers", result(r.Incr(ctx, "n").Result()), result(r.IncrByFloat(ctx, "f", 1.5).Result()),
		result(r.MSet(ctx, "a", 1, "b", 2).Result()), result(r.MGet(ctx, "a", "b", "none").Result()))
	told("hash", result(r.HSet(ctx, "h", "x", 1, "y", 2).Result()), result(r.HGetAll(ctx, "h").Result()))
	told("list", result(r.RPush(ctx, "l", 1, 2, 3).Result()), result(r.LRange(ctx, "l", 0, -1).Result()))
	members := r.SAdd(ctx, "s", "a", "b").Val()
	all := r.SMembers(ctx, "s").Val()
	sort.Strings(all)
	told("set", members, all, result(r.SMIsMember(ctx, "s", "a", "z").Result()))
	told("sorted set", result(r.ZAdd(ctx, "z", redis.Z{Score: 1, Member: "one"}, redis.Z{Score: 2.5, Member: "two"}).Result()),
		result(r.ZRangeWithScores(ctx, "z", 0, -1).Result()), result(r.ZScore(ctx, "z", "two").Result()), result(r.ZPopMin(ctx, "z").Result()))
	told("errors", result(r.LPush(ctx, "k", 1).Result()), result(r.Do(ctx, "NOSUCH", "a").Result()), result(r.Do(ctx, "GET").Result()))
	told("config", result(r.ConfigGet(ctx, "maxmemory-policy").Result()))
}

func pipelines(r *redis.Client) {
	commands, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "p", 1, 0)
		p.Incr(ctx, "p")
		p.LPush(ctx, "p", 1)
		return nil
	})
	told("pipeline", commands, err)
	commands, err = r.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "t", 1, 0)
		p.HGetAll(ctx, "h")
		return nil
	})
	told("transaction", commands, err)
	err = r.Watch(ctx, func(tx *redis.Tx) error {
		r.Set(ctx, "t", 9, 0)
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Incr(ctx, "t").Err() })
		return err
	}, "t")
	told("watched", errors.Is(err, redis.TxFailedErr), r.Get(ctx, "t").Val())
}

func scripts(r *redis.Client) {
	script := redis.NewScript("return {KEYS[1], redis.call('INCRBY', KEYS[1], ARGV[1])}")
	told("script", result(script.Run(ctx, r, []string{"counter"}, 2).Result()), result(script.Run(ctx, r, []string{"counter"}, 3).Result()))
	r.ScriptFlush(ctx)
	told("script again", result(script.Run(ctx, r, []string{"counter"}, 4).Result()))
	told("script error", result(r.Eval(ctx, "return redis.call('LPUSH', KEYS[1], 1)", []string{"k"}).Result()))
}

func messages(r *redis.Client) {
	listener := r.Subscribe(ctx, "news")
	defer listener.Close()
	subscribed, err := listener.Receive(ctx)
	told("subscribed", subscribed, err)
	told("receivers", result(r.Publish(ctx, "news", "hello").Result()))
	message, err := listener.ReceiveMessage(ctx)
	told("message", message, err)
}

func waiting(r *redis.Client) {
	got := make(chan any)
	go func() { got <- result(r.BLPop(ctx, 5*time.Second, "q1", "q2").Result()) }()
	for !strings.Contains(r.Info(ctx, "clients").Val(), "blocked_clients:1") {
	}
	r.RPush(ctx, "q2", "element")
	told("blpop", <-got)
}

func streams(r *redis.Client) {
	for _, id := range []string{"1-1", "2-1"} {
		told("xadd", result(r.XAdd(ctx, &redis.XAddArgs{Stream: "x", ID: id, Values: []any{"f", "v"}}).Result()))
	}
	told("group", result(r.XGroupCreate(ctx, "x", "g", "0").Result()))
	told("read", result(r.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "me", Streams: []string{"x", ">"}, Count: 1}).Result()))
	told("acknowledged", result(r.XAck(ctx, "x", "g", "1-1").Result()), result(r.XRange(ctx, "x", "-", "+").Result()), result(r.XLen(ctx, "x").Result()))
}

func scanning(r *redis.Client) {
	for n := 0; n < 300; n++ {
		r.Set(ctx, fmt.Sprintf("scan:%d", n), n, 0)
	}
	names := map[string]bool{}
	for iterator := r.Scan(ctx, 0, "scan:*", 50).Iterator(); iterator.Next(ctx); {
		names[iterator.Val()] = true
	}
	told("scan", len(names))
}

func main() {
	for _, protocol := range []int{2, 3} {
		r := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Args[1], Protocol: protocol, ClientName: "application"})
		told("protocol", protocol, result(r.FlushAll(ctx).Result()))
		for _, part := range []func(*redis.Client){plain, pipelines, scripts, messages, waiting, streams, scanning} {
			part(r)
		}
		r.Close()
	}
}
