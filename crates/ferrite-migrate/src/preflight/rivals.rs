//! Another run that writes to the same target at the same time.
//!
//! Every run's connections carry its name, and a run lists the names after it has set its own. So
//! of two runs that start together at least one sees the other; the one that connected later
//! gives way.

use super::Server;
use crate::engine::{CLIENT_NAME_PREFIX, Job};
use crate::report::PreflightReport;

/// Looks for other runs on the target.
pub async fn check(job: &Job, target: &mut Server, report: &mut PreflightReport) {
    let listed = target.control.call(&["CLIENT", "LIST"]).await;
    let text = match &listed {
        Ok(value) => String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned(),
        Err(error) => {
            report.warn(
                "no other run",
                format!("cannot list the target's clients: {error}"),
                "see to it yourself that no other run writes to this target",
            );
            return;
        }
    };
    let clients: Vec<(u64, &str)> = text.lines().filter_map(client).collect();
    let ours = job.client_name();
    let our_first = clients.iter().filter(|(_, name)| *name == ours).map(|(id, _)| *id).min();
    let rival = clients
        .iter()
        .filter(|(_, name)| name.starts_with(CLIENT_NAME_PREFIX) && !is_of(&ours, name))
        .find(|(id, _)| our_first.is_none_or(|first| *id < first));
    match rival {
        None => report.ok("no other run", "nothing else of ours is on the target"),
        Some((_, name)) => {
            let id = name.trim_start_matches(CLIENT_NAME_PREFIX).split(':').next();
            let id = id.unwrap_or_default();
            report.block(
                "no other run",
                format!("the migration {id} is using this target"),
                "wait until it is over, or stop it",
            );
        }
    }
}

/// Whether a connection is one of a run, for whatever it uses it.
fn is_of(run: &str, name: &str) -> bool {
    name.strip_prefix(run).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Id and name in one line of `CLIENT LIST`.
#[must_use]
pub fn client(line: &str) -> Option<(u64, &str)> {
    let field =
        |name: &str| line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    Some((field("id")?.parse().ok()?, field("name")?))
}
