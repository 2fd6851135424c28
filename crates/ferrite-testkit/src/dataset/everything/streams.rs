//! Streams: entries, holes, ends, groups, consumers and what they have not acknowledged.

use super::{Done, Loader};

/// A moment in the past, in milliseconds: when pending entries were delivered.
const DELIVERED_MS: u64 = 1_700_000_000_000;

pub(super) fn load(loader: &mut Loader<'_>) -> Done {
    entries(loader)?;
    ends(loader)?;
    loader.with_config(&[("stream-node-max-entries", "10")], |loader| {
        fill(loader, "stream:many-nodes", 105)?;
        loader.run(&["XDEL", "stream:many-nodes", "15-0", "16-0", "50-0"]).map(drop)
    })?;
    groups(loader)
}

/// Appends entries `1-0` to `count-0`.
fn fill(loader: &mut Loader<'_>, key: &str, count: u64) -> Done {
    for number in 1..=count {
        let id = format!("{number}-0");
        loader.run(&["XADD", key, &id, "number", &number.to_string(), "text", "the same"])?;
    }
    Ok(())
}

fn entries(loader: &mut Loader<'_>) -> Done {
    loader.run(&["XADD", "stream:one", "1-1", "field", "value"])?;
    loader.run(&["XADD", "stream:lowest-id", "0-1", "field", "value"])?;
    let highest = "18446744073709551615-18446744073709551615";
    loader.run(&["XADD", "stream:highest-id", "1700000000000-5", "", ""])?;
    loader.run(&["XADD", "stream:highest-id", highest, "a", "b"])?;
    loader.run(&["XADD", "stream:other-fields", "5-1", "a", "1", "b", "2"])?;
    loader.run(&["XADD", "stream:other-fields", "5-2", "c", "3"])?;
    loader.run(&["XADD", "stream:other-fields", "6-0", "a", "1", "a", "2", "a", "3"])?;
    let (text, random) = (loader.random.text(20_000), loader.random.bytes(3000));
    for (id, value) in [("1-0", &text), ("2-0", &random), ("3-0", &super::all_bytes())] {
        loader.add("XADD", "stream:big-values", [id.as_bytes(), b"value", value])?;
    }
    fill(loader, "stream:thousand", 1000)
}

fn ends(loader: &mut Loader<'_>) -> Done {
    fill(loader, "stream:deleted", 10)?;
    loader.run(&["XDEL", "stream:deleted", "1-0", "5-0", "10-0"])?;
    fill(loader, "stream:trimmed", 300)?;
    loader.run(&["XTRIM", "stream:trimmed", "MAXLEN", "=", "7"])?;
    fill(loader, "stream:emptied", 3)?;
    loader.run(&["XDEL", "stream:emptied", "1-0", "2-0", "3-0"])?;
    fill(loader, "stream:set-id", 3)?;
    loader.run(&["XSETID", "stream:set-id", "1000-7"])?;
    if loader.has("FUNCTION")? {
        // The counters came with Redis 7.0, as functions did.
        fill(loader, "stream:set-counters", 3)?;
        let counters = ["2000-0", "ENTRIESADDED", "500", "MAXDELETEDID", "1500-3"];
        loader.add("XSETID", "stream:set-counters", counters)?;
    }
    loader.run(&["XADD", "stream:group:made-empty", "1-0", "a", "b"])?;
    loader.run(&["DEL", "stream:group:made-empty"])?;
    group(loader, "stream:group:made-empty", "group", "$", &["MKSTREAM"])
}

fn group(loader: &mut Loader<'_>, key: &str, name: &str, from: &str, more: &[&str]) -> Done {
    let mut command = vec!["XGROUP", "CREATE", key, name, from];
    command.extend(more);
    loader.keys.insert(key.as_bytes().to_vec());
    loader.send(&command).map(drop)
}

fn groups(loader: &mut Loader<'_>) -> Done {
    fill(loader, "stream:groups", 20)?;
    for (name, from) in [("all", "0"), ("none", "$"), ("middle", "10-0"), ("idle", "0")] {
        group(loader, "stream:groups", name, from, &[])?;
    }
    loader.send(&["XGROUP", "CREATECONSUMER", "stream:groups", "all", "never-read"])?;
    for (name, consumer, ids) in
        [("all", "alice", 1..=3), ("all", "bob", 4..=8), ("middle", "alice", 11..=12)]
    {
        let ids: Vec<u64> = ids.collect();
        read(loader, "stream:groups", name, consumer, ids.len())?;
        for id in ids {
            pend(loader, "stream:groups", name, consumer, id)?;
        }
    }
    loader.send(&["XACK", "stream:groups", "all", "5-0", "6-0"])?;
    deleted_while_pending(loader)
}

/// Entries that consumers still hold although the stream has lost them.
fn deleted_while_pending(loader: &mut Loader<'_>) -> Done {
    let key = "stream:group:deleted";
    fill(loader, key, 6)?;
    group(loader, key, "group", "0", &[])?;
    read(loader, key, "group", "consumer", 4)?;
    for id in 1..=4 {
        pend(loader, key, "group", "consumer", id)?;
    }
    loader.run(&["XDEL", key, "2-0", "3-0"]).map(drop)
}

fn read(loader: &mut Loader<'_>, key: &str, group: &str, consumer: &str, count: usize) -> Done {
    let count = count.to_string();
    let command = ["XREADGROUP", "GROUP", group, consumer, "COUNT", &count, "STREAMS", key, ">"];
    loader.send(&command).map(drop)
}

/// Gives a pending entry a fixed time and count of deliveries: reading would make them now and 1.
fn pend(loader: &mut Loader<'_>, key: &str, group: &str, consumer: &str, id: u64) -> Done {
    let (time, count) = ((DELIVERED_MS + id * 1003).to_string(), (id % 4 + 1).to_string());
    let id = format!("{id}-0");
    let command =
        ["XCLAIM", key, group, consumer, "0", &id, "TIME", &time, "RETRYCOUNT", &count, "JUSTID"];
    loader.send(&command).map(drop)
}
