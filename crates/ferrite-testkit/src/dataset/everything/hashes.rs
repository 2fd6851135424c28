//! Hashes in all their encodings, and hashes whose fields expire.

use super::super::FAR_FUTURE_MS;
use super::{Done, Loader, all_bytes, integers, names};

pub(super) fn load(loader: &mut Loader<'_>) -> Done {
    loader.run(&["HSET", "hash:one", "field", "value"])?;
    loader.run(&["HSET", "hash:empty-names", "", "", "field", ""])?;
    loader.run(&["HSET", "hash:listpack", "name", "Ada", "born", "1815", "city", "London"])?;
    let ints = integers().into_iter().flat_map(|number| [number.clone(), number]);
    loader.add("HSET", "hash:listpack:ints", ints)?;
    loader.add("HSET", "hash:binary", [all_bytes(), vec![0], vec![0xff], all_bytes()])?;
    loader.add("HSET", "hash:hashtable", names("entry", 2000))?;
    let big = loader.random.text(100_000);
    loader.add(
        "HSET",
        "hash:hashtable:big-value",
        [b"small".to_vec(), b"1".to_vec(), b"big".to_vec(), big],
    )?;
    loader.with_config(&[("hash-max-ziplist-entries", "2")], |loader| {
        loader.run(&["HSET", "hash:over-limit", "a", "1", "b", "2", "c", "3"]).map(drop)
    })?;
    if loader.has("HPEXPIREAT")? {
        expiring_fields(loader)?;
    }
    Ok(())
}

fn expiring_fields(loader: &mut Loader<'_>) -> Done {
    let field_values =
        |count| names("field", count).into_iter().flat_map(|name| [name.clone(), name]);
    for (key, fields, expiring) in [
        ("hash:fields:one", 1, 1_u32),
        ("hash:fields:some-of-few", 6, 2),
        ("hash:fields:all-of-few", 6, 6),
        ("hash:fields:some-of-many", 1000, 300),
        ("hash:fields:all-of-many", 700, 700),
    ] {
        loader.add("HSET", key, field_values(fields))?;
        for number in 0..expiring {
            let at = (FAR_FUTURE_MS + u64::from(number) * 60_007).to_string();
            let field = format!("field:{number}");
            loader.run(&["HPEXPIREAT", key, &at, "FIELDS", "1", &field])?;
        }
    }
    loader.add("HSET", "hash:fields:same-moment", field_values(20))?;
    let at = (FAR_FUTURE_MS + 1).to_string();
    let fields = names("field", 20);
    let command =
        [at.as_str(), "FIELDS", "20"].into_iter().chain(fields.iter().map(String::as_str));
    loader.add("HPEXPIREAT", "hash:fields:same-moment", command)
}
