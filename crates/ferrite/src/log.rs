//! The log, line by line as Redis writes it, because people and tools read it:
//!
//! ```text
//! 4242:M 28 Nov 2026 14:05:26.779 * Ready to accept connections tcp
//! process:role  time in UTC        level  message
//! ```
//!
//! Levels: `.` debug, `-` verbose, `*` notice, `#` warning. `loglevel` is looked at for every
//! line, so that CONFIG SET changes it.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use ferrite_server::config::Config;
use ferrite_server::config::choices::LogLevel;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, Layer, MakeWriter};
use tracing_subscriber::layer::{Layer as _, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Begins to log to the file that the configuration names, or to standard output.
pub fn begin(config: &Arc<Config>) -> Result<(), String> {
    let of_filter = Arc::clone(config);
    let wanted = move |metadata: &tracing::Metadata<'_>| {
        rank(metadata.level()) >= of_filter.general.loglevel.get() as u8
    };
    let filter = dynamic_filter_fn(move |metadata, _| wanted(metadata));
    let layer = Layer::new().event_format(Line).with_writer(open(config)?);
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| format!("beginning the log: {error}"))?;
    std::panic::set_hook(Box::new(|what| {
        tracing::error!("=== REDIS BUG REPORT START: a thread of Ferrite panicked ===");
        tracing::error!("{what}\n{}", std::backtrace::Backtrace::force_capture());
        tracing::error!("=== REDIS BUG REPORT END. Please report it with the lines above. ===");
        std::process::abort();
    }));
    Ok(())
}

fn open(config: &Config) -> Result<Output, String> {
    let name = config.general.logfile.get();
    if name.is_empty() {
        return Ok(Output(Arc::new(Mutex::new(Box::new(io::stdout())))));
    }
    let path = config.folder().join(&*name.as_text());
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let file =
        file.map_err(|error| format!("Can't open the log file {}: {error}", path.display()))?;
    Ok(Output(Arc::new(Mutex::new(Box::new(file)))))
}

/// Where lines go, one after the other.
#[derive(Clone)]
struct Output(Arc<Mutex<Box<dyn Write + Send>>>);

impl<'a> MakeWriter<'a> for Output {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut output = self.0.lock().map_err(|_| io::Error::other("the log is lost"))?;
        output.write_all(bytes)?;
        output.flush()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A level among those of `loglevel`.
fn rank(level: &Level) -> u8 {
    (match *level {
        Level::TRACE => LogLevel::Debug,
        Level::DEBUG => LogLevel::Verbose,
        Level::INFO => LogLevel::Notice,
        _ => LogLevel::Warning,
    }) as u8
}

/// One line.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let sign = match *event.metadata().level() {
            Level::TRACE => '.',
            Level::DEBUG => '-',
            Level::INFO => '*',
            _ => '#',
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = Time { seconds: since.as_secs(), millis: since.subsec_millis() };
        write!(writer, "{}:M {time} {sign} ", std::process::id())?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// A point of time since 1970.
struct Time {
    seconds: u64,
    millis: u32,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.seconds / 86_400);
        let month = MONTHS.get(month).copied().unwrap_or_default();
        let second = self.seconds % 86_400;
        write!(
            f,
            "{day:02} {month} {year} {:02}:{:02}:{:02}.{:03}",
            second / 3600,
            second / 60 % 60,
            second % 60,
            self.millis
        )
    }
}

/// Year, month from 0 and day from 1 of a number of days since 1970, counted in years that begin
/// with March, so that the day that is sometimes there is their last.
fn date(days: u64) -> (u64, usize, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = (march + 2) % 12;
    let year = era * 400 + year + u64::from(march >= 10);
    (year, usize::try_from(month).unwrap_or_default(), day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_redis_does() {
        let cases = [
            (0, "01 Jan 1970 00:00:00.007"),
            (951_782_399, "28 Feb 2000 23:59:59.007"),
            (951_782_400, "29 Feb 2000 00:00:00.007"),
            (1_795_874_726, "28 Nov 2026 14:05:26.007"),
            (4_107_542_399, "28 Feb 2100 23:59:59.007"),
            (4_107_542_400, "01 Mar 2100 00:00:00.007"),
        ];
        for (seconds, text) in cases {
            assert_eq!(Time { seconds, millis: 7 }.to_string(), text);
        }
    }
}
