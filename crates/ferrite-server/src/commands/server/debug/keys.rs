//! DEBUG's subcommands about keys: POPULATE, OBJECT, LISTPACK.

use ferrite_store::table::{Content, Ref, Table, Value};
use ferrite_store::types::Collection;

use crate::commands::generic::encoding_of;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;
use crate::persist::load::string_content;
use crate::persist::snapshot::encode_value;

/// The largest value that DEBUG POPULATE makes, in bytes: as large as a string may be.
const LARGEST_VALUE: usize = 512 * 1024 * 1024;

const NO_SUCH_KEY: CommandError = CommandError::text("ERR no such key");
const NOT_POSITIVE: CommandError =
    CommandError::text("ERR value is out of range, must be positive");

/// Every entry of a table.
pub(super) fn each(table: &Table<Collection>, visit: &mut dyn FnMut(Ref)) {
    let mut cursor = 0;
    loop {
        cursor = table.scan(cursor, visit);
        if cursor == 0 {
            return;
        }
    }
}

/// `DEBUG POPULATE count [prefix [size]]`: keys `prefix:0`, `prefix:1` and so on, where they are
/// not there. Replicas are not told.
pub(super) fn populate(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let count = positive(words[0])?;
    let prefix = words.get(1).copied().unwrap_or(b"key");
    let size = words.get(2).map(|size| positive(size)).transpose()?.unwrap_or(0);
    let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST_VALUE);
    let size = size.ok_or(NOT_POSITIVE)?;
    let mut key = Vec::new();
    for number in 0..count {
        key.clear();
        key.extend_from_slice(prefix);
        key.extend_from_slice(format!(":{number}").as_bytes());
        if ctx.find(&key).is_some() {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        let content = match size > 0 {
            true => Content::Heap(value),
            false => string_content(&value),
        };
        ctx.put(&key, content, None);
        ctx.touched(&key);
    }
    ctx.reply.ok();
    Ok(())
}

fn positive(word: &[u8]) -> Result<i64, CommandError> {
    number::parse_int(word).filter(|number| *number >= 0).ok_or(NOT_POSITIVE)
}

/// Where a key is, also one that is past its time.
fn entry(ctx: &Ctx<'_>, key: &[u8]) -> Result<Ref, CommandError> {
    ctx.table(key).find(ctx.hash(key), key).ok_or(NO_SUCH_KEY)
}

/// `DEBUG OBJECT key`: where its entry is, and how its value is kept.
pub(super) fn object(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let at = entry(ctx, key)?;
    let table = ctx.table(key);
    let (value, access) = (table.value(at), table.access(at));
    let mut body = Vec::new();
    encode_value(&mut body, value);
    let eviction = &ctx.shared.eviction;
    let text = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{access} \
         lru_seconds_idle:{}",
        table.key(at).as_ptr(),
        encoding_of(value),
        body.len(),
        eviction.idle_seconds(access, ctx.now),
    );
    ctx.reply.simple(&text);
    Ok(())
}

/// `DEBUG LISTPACK key`: writes its bytes to the log.
pub(super) fn listpack(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let at = entry(ctx, key)?;
    let value = ctx.table(key).value(at);
    if !matches!(value, Value::Object(_)) || encoding_of(value) != "listpack" {
        return Err(CommandError::text("ERR Not a listpack encoded object.").into());
    }
    let mut body = Vec::new();
    encode_value(&mut body, value);
    tracing::info!("DEBUG LISTPACK {}: {}", key.escape_ascii(), body.escape_ascii());
    ctx.reply.simple("Listpack structure printed on stdout");
    Ok(())
}
