//! What was done to the target last, by the journal, and what follows from it for a target that is
//! found in some role.
//!
//! ```text
//! {"replica": {"did": "attaching"}}                   REPLICAOF is about to be run
//! {"replica": {"did": "attached", "run_id": "…"}}     it was; by this process of the target
//! {"replica": {"did": "promoting", "run_id": "…"}}    REPLICAOF NO ONE is about to be run
//! {"switching": true}                                 the hook is about to move the traffic
//! ```

use serde_json::{Value, json};

use crate::jobs::JournalRecord;

/// What was done to the target last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Nothing.
    Nothing,
    /// It was about to become a replica.
    Attaching,
    /// It became one, in the process with this id.
    Attached(String),
    /// It was about to be promoted, in the process with this id.
    Promoting(String),
    /// It was promoted, and the hook was about to run.
    Switching,
}

/// In which role the target is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A replica of the source.
    Ours,
    /// A replica of another server.
    Other(String),
    /// A master.
    Master {
        /// The id of its process.
        run_id: String,
        /// Whether it was promoted, and nothing was written since.
        is_untouched: bool,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on: it follows.
    GoOn,
    /// Make it a replica, for this reason.
    Attach(&'static str),
    /// Nothing: it may hold what the source has not.
    Refuse(String),
}

impl Fact {
    /// The last fact in a journal.
    #[must_use]
    pub fn last(journal: &[JournalRecord]) -> Self {
        let details = journal.iter().rev().filter_map(|record| record.detail.as_ref());
        details.filter_map(Self::read).next().unwrap_or(Self::Nothing)
    }

    fn read(detail: &Value) -> Option<Self> {
        if detail.get("switching").is_some() {
            return Some(Self::Switching);
        }
        let fact = detail.get("replica")?;
        let text = |name: &str| fact.get(name).and_then(Value::as_str).unwrap_or_default();
        let run_id = text("run_id").to_owned();
        match text("did") {
            "attaching" => Some(Self::Attaching),
            "attached" => Some(Self::Attached(run_id)),
            "promoting" => Some(Self::Promoting(run_id)),
            _ => None,
        }
    }

    /// For the journal.
    #[must_use]
    pub fn detail(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Attaching => json!({ "replica": { "did": "attaching" } }),
            Self::Attached(run_id) => json!({ "replica": { "did": "attached", "run_id": run_id } }),
            Self::Promoting(run_id) => {
                json!({ "replica": { "did": "promoting", "run_id": run_id } })
            }
            Self::Switching => json!({ "switching": true }),
        }
    }
}

/// What is to be done with a target that was found so. `stayed`: the operator says that the
/// application still writes to the source, so that nothing on the target is worth keeping.
#[must_use]
pub fn next(fact: &Fact, found: &Found, stayed: bool) -> Next {
    let (now, is_untouched) = match found {
        Found::Ours => return Next::GoOn,
        Found::Other(of) => {
            return Next::Refuse(format!("it is a replica of {of}, which is not the source"));
        }
        Found::Master { run_id, is_untouched } => (run_id, *is_untouched),
    };
    match fact {
        Fact::Nothing | Fact::Attaching => Next::Attach("the target becomes a replica"),
        Fact::Attached(then) if then != now => Next::Attach(
            "the target was restarted, and no longer knows that it is a replica of the source",
        ),
        Fact::Promoting(then) if then == now && is_untouched => {
            Next::Attach("the cutover was not done, and nothing was written to the target")
        }
        _ if stayed => Next::Attach("the application still writes to the source"),
        Fact::Attached(_) => Next::Refuse(String::from(
            "somebody else has promoted it (REPLICAOF NO ONE): it may have been written to",
        )),
        Fact::Promoting(_) | Fact::Switching => Next::Refuse(String::from(
            "it was promoted by a cutover that was not done, and may have been written to since",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::State;

    fn master(run_id: &str, is_untouched: bool) -> Found {
        Found::Master { run_id: run_id.to_owned(), is_untouched }
    }

    fn facts() -> [Fact; 5] {
        let (a, b) = (String::from("a"), String::from("a"));
        [Fact::Nothing, Fact::Attaching, Fact::Attached(a), Fact::Promoting(b), Fact::Switching]
    }

    #[test]
    fn the_journal_gives_back_the_last_fact() {
        let mut journal = vec![JournalRecord::now(State::Planned, None, None)];
        assert_eq!(Fact::last(&journal), Fact::Nothing);
        for fact in facts().into_iter().skip(1) {
            journal.push(JournalRecord::now(State::Live, None, Some(fact.detail())));
            journal.push(JournalRecord::now(State::Failed, Some("killed"), None));
            assert_eq!(Fact::last(&journal), fact);
        }
    }

    #[test]
    fn a_target_that_may_have_been_written_to_is_left_alone() {
        // What is done for each fact: untouched, touched, restarted.
        let expected = [
            [true, true, true],
            [true, true, true],
            [false, false, true],
            [true, false, false],
            [false, false, false],
        ];
        for (fact, attached) in facts().iter().zip(expected) {
            let founds = [master("a", true), master("a", false), master("b", false)];
            for (found, attaches) in founds.iter().zip(attached) {
                let next = |stayed| super::next(fact, found, stayed);
                let is_attach = matches!(next(false), Next::Attach(_));
                assert_eq!(is_attach, attaches, "{fact:?} {found:?}");
                assert!(matches!(next(true), Next::Attach(_)), "{fact:?} {found:?}");
            }
            assert_eq!(super::next(fact, &Found::Ours, false), Next::GoOn);
            let other = Found::Other(String::from("c:1"));
            assert!(matches!(super::next(fact, &other, true), Next::Refuse(_)));
        }
    }
}
