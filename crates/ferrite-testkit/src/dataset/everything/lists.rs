//! Lists: one node, many nodes, compressed nodes, nodes of one big item.

use super::{Done, Loader, all_bytes, integers, names};

/// Lengths around the borders of listpack string headers (6, 12 and 32 bits of length).
const LENGTHS: [usize; 6] = [0, 1, 63, 64, 4095, 4096];

pub(super) fn load(loader: &mut Loader<'_>) -> Done {
    loader.run(&["RPUSH", "list:one", "item"])?;
    loader.run(&["RPUSH", "list:empty-item", ""])?;
    loader.run(&["RPUSH", "list:repeated", "x", "x", "x", "y", "x"])?;
    loader.add("RPUSH", "list:ints", integers())?;
    loader.add("RPUSH", "list:small-ints", (0..200).map(|number| number.to_string()))?;
    loader.add("RPUSH", "list:listpack", names("item", 50))?;
    loader.add("RPUSH", "list:binary", [all_bytes(), vec![0], vec![0xff]])?;
    let lengths: Vec<_> = LENGTHS.iter().map(|length| loader.random.text(*length)).collect();
    loader.add("RPUSH", "list:lengths", lengths)?;
    let items: Vec<_> = (0..1000).map(|_| loader.random.text(60)).collect();
    loader.add("RPUSH", "list:many-nodes", items)?;
    loader.add("LPUSH", "list:pushed-left", names("left", 300))?;
    loader.add("RPUSH", "list:holes", names("item", 300))?;
    loader.run(&["LTRIM", "list:holes", "10", "-20"])?;
    loader.run(&["LREM", "list:holes", "0", "item:100"])?;
    loader.run(&["LINSERT", "list:holes", "BEFORE", "item:50", "inserted"])?;
    compressed_nodes(loader)?;
    big_items(loader)
}

fn compressed_nodes(loader: &mut Loader<'_>) -> Done {
    let settings = [("list-compress-depth", "1"), ("list-max-ziplist-size", "16")];
    loader.with_config(&settings, |loader| {
        let items: Vec<_> = (0..400).map(|_| loader.random.text(100)).collect();
        loader.add("RPUSH", "list:compressed", items)
    })
}

/// Items too big to share a node. Redis 7.0 packs them all the same unless its debugging command
/// lowers the limit; servers without that command, or that refuse it, make what they make.
fn big_items(loader: &mut Loader<'_>) -> Done {
    let threshold = |loader: &mut Loader<'_>, bytes: &str| {
        let command = ["DEBUG", "QUICKLIST-PACKED-THRESHOLD", bytes];
        loader.client.try_call(&command).map(drop)
    };
    let info = loader.send(&["INFO", "server"])?.text();
    let packs_all = info.contains("redis_version:7.0.");
    if packs_all {
        threshold(loader, "8192B")?;
    }
    let big: Vec<_> = (0..3).map(|_| loader.random.text(10_000)).collect();
    loader.add("RPUSH", "list:big-items", &big)?;
    loader.add("RPUSH", "list:big-between-small", ["small"])?;
    loader.add("RPUSH", "list:big-between-small", &big)?;
    loader.add("RPUSH", "list:big-between-small", ["small again"])?;
    let incompressible = loader.random.bytes(70_000);
    loader.add("RPUSH", "list:big-incompressible", [incompressible])?;
    if packs_all {
        threshold(loader, "1073741824B")?;
    }
    Ok(())
}
