//! Any bytes as an append-only file: read at once and in pieces, the same commands at the same
//! offsets; what is found behind damage is inside the input; manifests of any bytes.

#![no_main]

use ferrite_rdb::aof::{Content, Found, Item, Manifest, Reader, Step, find_command};
use libfuzzer_sys::fuzz_target;

const COMMAND_LIMIT: usize = 1 << 20;

/// What was read: the offset of each thing and how many words it has, then the error's offset.
type Seen = (Vec<(u64, usize)>, Option<u64>);

fuzz_target!(|data: &[u8]| {
    let Some((&size, file)) = data.split_first() else { return };
    let _ = (Content::of(file), Manifest::parse(file));
    let whole = read(file, file.len().max(1));
    let parts = read(file, usize::from(size).max(1));
    assert_eq!(whole, parts);
    match find_command(file) {
        Found::Command(at) => {
            assert_eq!(file.get(at), Some(&b'*'));
            let rest = &file[at..];
            let mut reader = Reader::new(at as u64, COMMAND_LIMIT);
            let _ = reader.next(rest);
        }
        Found::Nothing(seen) => assert!(seen <= file.len()),
    }
});

fn read(file: &[u8], size: usize) -> Seen {
    let (mut reader, mut seen) = (Reader::new(0, COMMAND_LIMIT), Vec::new());
    let (mut start, mut end) = (0, 0);
    loop {
        match reader.next(&file[start..end]) {
            Ok(Step::Item { consumed, item }) => {
                assert!(consumed > 0 && consumed <= end - start);
                start += consumed;
                assert_eq!(reader.offset(), start as u64);
                let words = match item {
                    Item::Command { raw, words } => {
                        assert_eq!(raw.len(), consumed);
                        assert!(!words.is_empty());
                        words.len()
                    }
                    Item::Timestamp(_) | Item::Annotation(_) => 0,
                };
                seen.push((start as u64, words));
            }
            Ok(Step::NeedMore) if end < file.len() => end = (end + size).min(file.len()),
            Ok(Step::NeedMore) => return (seen, None),
            Err(error) => return (seen, Some(error.offset)),
        }
    }
}
