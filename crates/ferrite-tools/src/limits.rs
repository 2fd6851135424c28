//! The limits of a copy on the command line: given for a migration, changed while it runs.

use ferrite_migrate::Limits;
use ferrite_migrate::control::Request;

use crate::term::units::{bytes, parse_duration, parse_size};

/// What lifts a limit.
const OFF: &str = "off";

/// Limits, of which those that are not given stay as they are.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Copy at most so many bytes of keys and values a second, such as 50MB
    #[arg(long, value_name = "SIZE|off", value_parser = parse_rate)]
    rate: Option<u64>,
    /// Copy slower while the source takes longer than this to answer a PING, such as 2ms
    #[arg(long, value_name = "DURATION|off", value_parser = parse_latency)]
    max_source_latency: Option<u64>,
    /// Copy slower while the target takes longer than this to answer a PING
    #[arg(long, value_name = "DURATION|off", value_parser = parse_latency)]
    max_target_latency: Option<u64>,
}

impl LimitArgs {
    /// The order.
    pub fn request(&self) -> Request {
        Request::Throttle {
            rate: self.rate,
            max_source_latency_ms: self.max_source_latency,
            max_target_latency_ms: self.max_target_latency,
        }
    }

    /// The limits there are with these, where there were others before.
    pub fn limits(&self, before: Limits) -> Limits {
        self.request().limits(before)
    }
}

fn parse_rate(text: &str) -> Result<u64, String> {
    or_off(text, parse_size)
}

fn parse_latency(text: &str) -> Result<u64, String> {
    or_off(text, parse_duration)
}

/// A limit, or 0 where it is to be lifted; 0 itself is none.
fn or_off(text: &str, parse: fn(&str) -> Result<u64, String>) -> Result<u64, String> {
    match text {
        OFF => Ok(0),
        text => match parse(text) {
            Ok(0) => Err(String::from("0 is no limit; `off` lifts one")),
            Ok(limit) => Ok(limit),
            Err(why) => Err(format!("{why}; `off` lifts a limit")),
        },
    }
}

/// Limits in words, by the names of their options.
pub fn text(limits: &Limits) -> String {
    let rate = limits.rate.map(|rate| format!("--rate {}/s", bytes(rate)));
    let latency = |option: &str, limit: Option<u64>| limit.map(|ms| format!("--{option} {ms} ms"));
    let source = latency("max-source-latency", limits.max_source_latency_ms);
    let target = latency("max-target-latency", limits.max_target_latency_ms);
    let all: Vec<_> = [rate, source, target].into_iter().flatten().collect();
    match all.is_empty() {
        true => String::from("has no limits"),
        false => format!("has these limits: {}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_is_a_limit_of_nothing_and_nothing_is_no_limit() {
        assert_eq!(parse_rate("50mb"), Ok(50 << 20));
        assert_eq!(parse_latency("2ms"), Ok(2));
        assert_eq!((parse_rate(OFF), parse_latency(OFF)), (Ok(0), Ok(0)));
        assert!(parse_rate("0").unwrap_err().contains("`off` lifts one"));
        for text in ["", "OFF ", "fast", "-1"] {
            assert!(parse_rate(text).unwrap_err().ends_with("`off` lifts a limit"), "{text}");
            assert!(parse_latency(text).unwrap_err().ends_with("`off` lifts a limit"), "{text}");
        }
    }

    #[test]
    fn limits_are_told_by_their_options() {
        let limits = Limits {
            rate: Some(50 << 20),
            max_source_latency_ms: Some(2),
            max_target_latency_ms: None,
        };
        let told = "has these limits: --rate 50.0 MiB/s, --max-source-latency 2 ms";
        assert_eq!(text(&limits), told);
        assert_eq!(text(&Limits::default()), "has no limits");
    }
}
