//! The two streams: results to stdout, everything else to stderr, and a progress bar on stderr
//! that makes room whenever a line is written to either.

use std::io::{self, ErrorKind, IsTerminal, Write};

use indicatif::ProgressBar;

use super::clean::clean_lines;

/// Where lines go. Clones share the bar, so that the log can use it too.
#[derive(Clone, Debug)]
pub struct Screen {
    bar: Option<ProgressBar>,
}

impl Screen {
    /// With a bar if stderr is a terminal that can draw one.
    pub(crate) fn new() -> Self {
        let drawable = io::stderr().is_terminal() && !super::color::is_dumb();
        Self { bar: drawable.then(super::progress::new_bar) }
    }

    /// The bar, where there is one.
    pub(crate) fn bar(&self) -> Option<&ProgressBar> {
        self.bar.as_ref()
    }

    /// A line (or several) of the result. A reader who has gone away is no error: whoever pipes
    /// into `head` has seen enough.
    pub(crate) fn result(&self, text: &str) {
        let written = self.making_room(|| writeln!(io::stdout().lock(), "{text}"));
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.line(&format!("warning: the result cannot be written to stdout: {error}"));
        }
    }

    /// A line (or several) that is not the result.
    pub(crate) fn line(&self, text: &str) {
        // There is nobody left to tell when stderr is closed.
        drop(self.making_room(|| writeln!(io::stderr().lock(), "{text}")));
    }

    /// Takes the bar off the terminal.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn making_room<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.bar {
            // A bar without text has not been drawn yet.
            Some(bar) if !bar.message().is_empty() => bar.suspend(write),
            _ => write(),
        }
    }
}

/// The log writes whole events; they share stderr with the bar.
impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.line(&clean_lines(text.trim_end_matches('\n')));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
