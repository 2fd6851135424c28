//! Runs the program as a process. Nothing here waits without a deadline.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ferrite_testkit::peers::usage;
use rustix::process::{Pid, Signal, kill_process};

/// How long any one thing may take before a test fails.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// How often the memory of a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The program, without what the environment of the tests says.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrite-migrate"));
    command.stdin(Stdio::null());
    for name in ["FERRITE_SOURCE", "FERRITE_TARGET", "RUST_LOG", "NO_COLOR", "TERM"] {
        command.env_remove(name);
    }
    command
}

/// How a run ended and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Fails, with all that was said, unless this is the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless all of these are on stdout.
    #[track_caller]
    pub fn reports(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "{text:?} is not on stdout:\n{}", self.stdout);
        }
        self
    }

    /// Fails unless all of these are on stderr.
    #[track_caller]
    pub fn explains(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not on stderr:\n{}", self.stderr);
        }
        self
    }

    /// Fails unless nothing is on stdout.
    #[track_caller]
    pub fn without_result(self) -> Self {
        assert_eq!(self.stdout, "");
        self
    }

    /// Fails if this is on either stream.
    #[track_caller]
    pub fn hides(self, secret: &str) -> Self {
        assert!(!self.stdout.contains(secret), "on stdout:\n{}", self.stdout);
        assert!(!self.stderr.contains(secret), "on stderr:\n{}", self.stderr);
        self
    }
}

/// Runs the program to its end.
pub fn run(args: &[&str]) -> Ended {
    Running::start(args).end()
}

/// `migrate` from one address to another, with more options.
pub fn migrate(source: &str, target: &str, options: &[&str]) -> Ended {
    run(&[&["migrate", "-s", source, "-t", target], options].concat())
}

/// `sync`, likewise.
pub fn sync(source: &str, target: &str, options: &[&str]) -> Ended {
    run(&[&["sync", "-s", source, "-t", target], options].concat())
}

/// `verify`, likewise.
pub fn verify(source: &str, target: &str, options: &[&str]) -> Ended {
    run(&[&["verify", "-s", source, "-t", target], options].concat())
}

/// A run that is going on; dropping it kills it.
pub struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Arc<Said>,
    stderr_ended: Receiver<()>,
}

/// What has been said so far, and whether more can come.
#[derive(Default)]
struct Said {
    text: Mutex<String>,
    ended: AtomicBool,
    more: Condvar,
}

impl Running {
    pub fn start(args: &[&str]) -> Self {
        let mut command = program();
        command.args(args);
        Self::start_command(command)
    }

    pub fn start_command(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (whole, stdout) = channel();
        let mut pipe = child.stdout.take().unwrap();
        thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).unwrap();
            // Nobody waits for it when the test has failed.
            let _ = whole.send(String::from_utf8(text).expect("UTF-8 on stdout"));
        });
        let stderr = Arc::new(Said::default());
        let (end, stderr_ended) = channel();
        let (pipe, said) = (child.stderr.take().unwrap(), Arc::clone(&stderr));
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                said.add(&line.expect("UTF-8 on stderr"));
            }
            said.end();
            // Nobody waits for it when the test has failed.
            let _ = end.send(());
        });
        Self { child, stdout, stderr, stderr_ended }
    }

    /// Waits until this is on stderr.
    #[track_caller]
    pub fn says(&self, text: &str) {
        let said = self.stderr.text.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.stderr.more.wait_timeout_while(said, DEADLINE, |said| {
            !said.contains(text) && !self.stderr.ended.load(Ordering::Relaxed)
        });
        let (said, _) = wait.unwrap_or_else(PoisonError::into_inner);
        assert!(said.contains(text), "waited for {text:?}:\n{said}");
    }

    /// Waits for the first line on stderr.
    #[track_caller]
    pub fn line(&self) -> String {
        self.says("\n");
        self.stderr.all().lines().next().unwrap_or_default().to_owned()
    }

    /// Types into the standard input, which the command must have as a pipe.
    pub fn types(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("it reads");
    }

    /// As [`types`](Self::types); whether it still reads.
    pub fn can_type(&mut self, text: &str) -> bool {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(text.as_bytes()).is_ok()
    }

    /// The largest resident memory so far, in bytes.
    pub fn peak(&self) -> u64 {
        usage::of(self.child.id()).peak_rss
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // Until it is waited for, the pid is the child's own.
        kill_process(pid.expect("a pid"), signal).expect("it still runs");
    }

    /// Waits for the end.
    #[track_caller]
    pub fn end(self) -> Ended {
        self.end_and_measure().0
    }

    /// Waits for the end; gives the largest resident memory seen on the way, in bytes, too.
    #[track_caller]
    pub fn end_and_measure(mut self) -> (Ended, u64) {
        let deadline = Instant::now() + DEADLINE;
        let mut peak = 0;
        let stdout = loop {
            peak = peak.max(usage::of(self.child.id()).peak_rss);
            if let Ok(text) = self.stdout.recv_timeout(LOOK_EVERY) {
                break text;
            }
            assert!(Instant::now() < deadline, "did not end; said:\n{}", self.stderr.all());
        };
        self.stderr_ended.recv_timeout(DEADLINE).expect("the end of stderr");
        let code = self.child.wait().unwrap().code();
        let stderr = self.stderr.all();
        (Ended { code, stdout, stderr }, peak)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    fn add(&self, line: &str) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(line);
        text.push('\n');
        self.more.notify_all();
    }

    fn end(&self) {
        let _text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended.store(true, Ordering::Relaxed);
        self.more.notify_all();
    }

    fn all(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited for {what}");
        thread::yield_now();
    }
}
