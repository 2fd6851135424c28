//! What happens, as one JSON object a line: the interface for programs.
//!
//! ```text
//! {"event":"preflight","checks":[…]}                        events, as the engine defines them
//! {"event":"status","id":"mig_…","phase":"COPYING",…}       every few seconds
//! {"event":"report",…,"exit_code":0}                        the last line: the run reached its end
//! {"event":"error","kind":"source",…,"exit_code":2}         or it did not
//! ```

use serde::Serialize;

/// An object with its name in front and, if it is the last one, the exit code behind.
#[derive(Serialize)]
pub struct Tagged<'a, T> {
    event: &'static str,
    #[serde(flatten)]
    body: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
}

impl<'a, T: Serialize> Tagged<'a, T> {
    /// One of many.
    pub fn new(event: &'static str, body: &'a T) -> Self {
        Self { event, body, exit_code: None }
    }

    /// The last one.
    pub fn ending(event: &'static str, body: &'a T, exit_code: u8) -> Self {
        Self { event, body, exit_code: Some(exit_code) }
    }
}

/// The object as one line, without its end.
pub fn line(object: &impl Serialize) -> String {
    // Only maps with keys that are not strings and failing `Serialize`s of our own could fail.
    serde_json::to_string(object).unwrap_or_else(|error| {
        let cause = error.to_string();
        serde_json::json!({"event": "error", "kind": "internal", "cause": cause}).to_string()
    })
}

#[cfg(test)]
mod tests {
    use ferrite_migrate::{Event, Following, Phase, Status, Throttle, VerificationReport};

    use super::*;
    use crate::term::error::Failure;

    #[test]
    fn objects_are_single_lines_that_name_their_event() {
        let event = Event::Warning { message: "two\nlines \x1b[2J".to_owned() };
        assert_eq!(line(&event), r#"{"event":"warning","message":"two\nlines \u001b[2J"}"#);
        let (id, phase) = ("mig_x".to_owned(), Phase::Copying);
        let (keys_done, keys_total, bytes_done, elapsed_ms) = (1, 2, 3, 4);
        let (following, throttle) = (None, Throttle::default());
        let status = Status {
            id,
            phase,
            keys_done,
            keys_total,
            bytes_done,
            elapsed_ms,
            following,
            throttle,
            shared: None,
        };
        assert_eq!(
            line(&Tagged::new("status", &status)),
            r#"{"event":"status","id":"mig_x","phase":"COPYING","keys_done":1,"keys_total":2,"bytes_done":3,"elapsed_ms":4,"throttle":{"active":false,"why":null}}"#
        );
        let following = Some(Following { lag_bytes: 5, lag_ms: 6, commands: 7 });
        let text = line(&Tagged::new("status", &Status { following, ..status }));
        assert!(
            text.contains(r#""elapsed_ms":4,"lag_bytes":5,"lag_ms":6,"commands":7,"#),
            "{text}"
        );
    }

    #[test]
    fn the_last_object_has_the_exit_code() {
        let failure = Failure::usage("reading", "no").with_hint("do");
        assert_eq!(
            line(&Tagged::new("error", &failure)),
            r#"{"event":"error","kind":"config","doing":"reading","cause":"no","hint":"do","keys_copied":0,"exit_code":1}"#
        );
        let report = VerificationReport { missing_target: 1, ..VerificationReport::default() };
        let text = line(&Tagged::ending("report", &report, 4));
        assert!(text.starts_with(r#"{"event":"report","success":false,"compared":0,"#), "{text}");
        assert!(text.ends_with(r#""exit_code":4}"#), "{text}");
    }
}
