//! How fast RDB files are read: `rdb_speed FILE pass|decode` reads one and prints a line of JSON.
//!
//! `pass` finds every key and the end of its value and verifies the checksum: what a copy between
//! servers of one format costs. `decode` also takes every value apart into elements.
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::time::Instant;

use ferrite_rdb::{
    Entry, Event, Reader, Sink, Step, StreamConsumer, StreamFields, StreamGroup, StreamId, decode,
};

/// Bytes asked for at once.
const READ_BYTES: usize = 1024 * 1024;
/// Larger values come in parts.
const VALUE_LIMIT: usize = 16 * 1024 * 1024;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, decodes) = match arguments.as_slice() {
        [path, mode] if mode == "pass" => (path, false),
        [path, mode] if mode == "decode" => (path, true),
        _ => return Err("usage: rdb_speed FILE pass|decode".into()),
    };
    let mut input = Input { file: File::open(path)?, buffer: Vec::new(), start: 0, end: 0 };
    let mut seen = Seen::default();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let bytes = read(&mut input, decodes, &mut seen)?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_seconds().zip(cpu).map(|(after, before)| after - before);
    println!(
        "{{\"bytes\":{bytes},\"keys\":{},\"elements\":{},\"element_bytes\":{},\
         \"seconds\":{seconds:.4},\"cpu_s\":{},\"mb_per_s\":{:.1}}}",
        seen.keys,
        seen.elements,
        seen.bytes,
        cpu.map_or("null".to_owned(), |cpu| format!("{cpu:.4}")),
        bytes as f64 / 1e6 / seconds,
    );
    Ok(())
}

/// Reads to the end of the RDB; how many bytes it had.
fn read(input: &mut Input, decodes: bool, seen: &mut Seen) -> Outcome<u64> {
    let mut reader = Reader::new(VALUE_LIMIT);
    loop {
        let (consumed, large) = match reader.next(input.bytes())? {
            Step::NeedMore => {
                input.more()?;
                continue;
            }
            Step::Event { event: Event::End { .. }, .. } => return Ok(reader.offset()),
            Step::Event { consumed, event: Event::Entry(entry) } => {
                seen.entry(&reader, &entry, decodes)?;
                (consumed, false)
            }
            Step::Event { consumed, event } => (consumed, matches!(event, Event::Large(_))),
        };
        input.start += consumed;
        if large {
            read_parts(&mut reader, input, seen)?;
        }
    }
}

/// A value above the limit, which has to be decoded in either mode.
fn read_parts(reader: &mut Reader, input: &mut Input, seen: &mut Seen) -> Outcome<()> {
    seen.keys += 1;
    loop {
        let part = reader.next_part(input.bytes(), seen)?;
        input.start += part.consumed;
        if part.done {
            return Ok(());
        }
        input.more()?;
    }
}

/// The bytes of the file that were read and not used yet.
struct Input {
    file: File,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn more(&mut self) -> Outcome<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < self.end + READ_BYTES {
            self.buffer.resize(self.end + READ_BYTES, 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match self.file.read(room)? {
            0 => Err("the file ends before the RDB does".into()),
            read => {
                self.end += read;
                Ok(())
            }
        }
    }
}

/// Counts what it is given, so that nothing of the work can be left out by the compiler.
#[derive(Default)]
struct Seen {
    keys: u64,
    elements: u64,
    bytes: u64,
}

impl Seen {
    fn entry(&mut self, reader: &Reader, entry: &Entry<'_>, decodes: bool) -> Outcome<()> {
        self.keys += 1;
        if decodes {
            decode(reader.format(), entry.type_byte, entry.value, self)?;
        }
        Ok(())
    }

    fn element(&mut self, parts: &[&[u8]]) {
        self.elements += 1;
        self.bytes += parts.iter().map(|part| std::hint::black_box(part).len() as u64).sum::<u64>();
    }
}

impl Sink for Seen {
    fn string_part(&mut self, _total: u64, piece: &[u8]) {
        self.element(&[piece]);
    }
    fn list_item(&mut self, item: &[u8]) {
        self.element(&[item]);
    }
    fn set_member(&mut self, member: &[u8]) {
        self.element(&[member]);
    }
    fn zset_member(&mut self, member: &[u8], score: f64) {
        std::hint::black_box(score);
        self.element(&[member]);
    }
    fn hash_field(&mut self, field: &[u8], value: &[u8], _expires_at_ms: Option<u64>) {
        self.element(&[field, value]);
    }
    fn stream_entry(&mut self, _id: StreamId, fields: &StreamFields) {
        for (name, value) in fields.iter() {
            self.element(&[name, value]);
        }
    }
    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        self.element(&[group.name]);
    }
    fn stream_pending(&mut self, id: StreamId, _delivered_ms: i64, _count: u64) {
        std::hint::black_box(id);
        self.element(&[]);
    }
    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        self.element(&[consumer.name]);
    }
    fn stream_consumer_pending(&mut self, id: StreamId) {
        std::hint::black_box(id);
        self.element(&[]);
    }
    fn module(&mut self, _name: &str, raw: &[u8]) {
        self.element(&[raw]);
    }
}

/// Processor time of this thread, the only one; unknown where the kernel does not tell.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanoseconds: f64 = stat.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}
