//! Any order of what can be done with a log, beside a plain list of bytes.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Read(u8),
    Seek(u16),
    Trim,
    Restart(u16),
    /// Reopened with so many bytes of a torn block behind the end.
    Reopen(u8),
    Sync,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..9000_usize).prop_map(Step::Append),
        8 => (1..9_u8).prop_map(Step::Read),
        2 => any::<u16>().prop_map(Step::Seek),
        2 => Just(Step::Trim),
        1 => any::<u16>().prop_map(Step::Restart),
        2 => any::<u8>().prop_map(Step::Reopen),
        1 => Just(Step::Sync),
    ]
}

/// A log and what it should hold.
struct Model {
    dir: TempDir,
    log: Option<(Writer, Reader)>,
    start: u64,
    bytes: Vec<u8>,
    read: u64,
}

impl Model {
    fn new() -> Self {
        let dir = folder();
        let log = Some(create(&dir, 5000, 77));
        Self { dir, log, start: 77, bytes: Vec::new(), read: 77 }
    }

    fn log(&mut self) -> &mut (Writer, Reader) {
        self.log.as_mut().unwrap()
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Append(size) => self.append(*size),
            Step::Read(blocks) => (0..*blocks).for_each(|_| self.read_block()),
            Step::Seek(at) => self.seek(*at),
            Step::Trim => {
                let read = self.read;
                self.log().1.trim(read).unwrap();
            }
            Step::Restart(start) => self.restart(u64::from(*start)),
            Step::Reopen(torn) => self.reopen(usize::from(*torn)),
            Step::Sync => self.log().0.sync().unwrap(),
        }
    }

    fn append(&mut self, size: usize) {
        let piece = if size.is_multiple_of(2) { noise(size) } else { commands(size) };
        self.log().0.append(size as u64, &piece).unwrap();
        self.bytes.extend(piece);
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn read_block(&mut self) {
        let mut bytes = Vec::new();
        let Some(result) = poll_once(self.log().1.next(&mut bytes)) else {
            assert_eq!(self.read, self.end(), "only at the end the reader waits");
            return;
        };
        let block = result.unwrap();
        assert_eq!((block.start, block.end), (self.read, self.read + bytes.len() as u64));
        let at = (self.read - self.start) as usize;
        assert_eq!(self.bytes.get(at..at + bytes.len()), Some(bytes.as_slice()));
        self.read = block.end;
    }

    fn seek(&mut self, at: u16) {
        let offset = self.start + u64::from(at) % (self.bytes.len() as u64 + 1);
        match self.log().1.seek(offset) {
            Ok(()) => self.read = offset,
            Err(error) => assert!(matches!(error, SpoolError::NotHeld { .. }), "{error}"),
        }
    }

    fn restart(&mut self, start: u64) {
        self.log().0.restart(start).unwrap();
        let mut bytes = Vec::new();
        let polled = poll_once(self.log().1.next(&mut bytes));
        assert!(matches!(polled, Some(Err(SpoolError::Restarted { .. }))), "{polled:?}");
        (self.start, self.read) = (start, start);
        self.bytes.clear();
    }

    fn reopen(&mut self, torn: usize) {
        self.log = None;
        let last = segments(self.dir.path()).pop().unwrap();
        let bytes = [std::fs::read(&last).unwrap(), noise(torn)].concat();
        std::fs::write(&last, bytes).unwrap();
        self.log = open(&self.dir, 5000, self.read);
    }

    fn check(&mut self) {
        let (end, disk) = (self.end(), disk_bytes(self.dir.path()));
        let lag = end - self.read;
        let (writer, reader) = self.log();
        assert_eq!((writer.end(), reader.lag()), (end, lag));
        assert_eq!((writer.gauge().end(), writer.gauge().bytes()), (end, disk));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_log_does_what_a_list_does(steps in prop::collection::vec(step(), 1..60)) {
        let mut model = Model::new();
        for step in &steps {
            model.apply(step);
            model.check();
        }
        while model.read < model.end() {
            model.read_block();
        }
    }
}
