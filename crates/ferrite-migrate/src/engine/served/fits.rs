//! Whether a target may be made our replica for a moment, as far as it can be asked.

use ferrite_client::server::Family;
use ferrite_client::{ClientError, Value};

use super::walk::Loads;
use crate::config::FileStrategy;
use crate::engine::Job;
use crate::preflight::{Server, client};
use crate::targets::redis::libraries;

/// What the target can load, or why it is not asked to.
///
/// # Errors
/// A target that is lost.
pub async fn loads(job: &Job, target: &mut Server) -> Result<Result<Loads, String>, ClientError> {
    let refused = |why: &str| Ok(Err(why.to_owned()));
    if target.cluster.is_some() {
        return refused("the target is a cluster");
    }
    if !matches!(target.info.family, Family::Redis | Family::Valkey) || !target.is_at_least(6, 2) {
        return refused("only Redis 6.2 and later and Valkey are known to load it well");
    }
    if target.info.keys() > 0 {
        return refused("the target has keys, which a replica loses");
    }
    // A primary is told to be one: that changes nothing.
    if let Err(error) = target.control.call(&["REPLICAOF", "NO", "ONE"]).await {
        return match error.is_refusal() {
            true => Ok(Err(format!("the target refuses: {error}"))),
            false => Err(error),
        };
    }
    let mut told = async |name: &str| number(&target.control.call(&["CONFIG", "GET", name]).await);
    let Some(databases) = told("databases").await else {
        return refused("CONFIG GET is refused by the target");
    };
    if told("maxmemory").await != Some(0) {
        return refused("the target has a maxmemory, which a replica does not keep");
    }
    let functions = target.has_functions();
    if functions && !libraries(&mut target.control).await.is_ok_and(|found| found.is_empty()) {
        return refused("the target has functions, which a replica loses");
    }
    if job.config.file_strategy == FileStrategy::Auto
        && let Some(why) = is_used(job, target).await?
    {
        return Ok(Err(why));
    }
    Ok(Ok(Loads { values: target.values(), functions, databases }))
}

/// Who would notice that the target is a replica and loads, where nobody has allowed it.
async fn is_used(job: &Job, target: &mut Server) -> Result<Option<String>, ClientError> {
    if target.info.info.number("connected_slaves") != Some(0) {
        let why = "the target has replicas, which would copy everything once more";
        return Ok(Some(why.to_owned()));
    }
    let listed = match target.control.call(&["CLIENT", "LIST"]).await {
        Ok(listed) => listed,
        Err(error) if error.is_refusal() => {
            return Ok(Some(String::from("whether the target is in use cannot be seen")));
        }
        Err(error) => return Err(error),
    };
    let listed = String::from_utf8_lossy(listed.as_bytes().unwrap_or_default()).into_owned();
    let ours = job.client_name();
    let others = listed.lines().filter_map(client).filter(|(_, name)| !name.starts_with(&ours));
    Ok(match others.count() {
        0 => None,
        count => Some(format!("{count} others are connected to the target, and would be refused")),
    })
}

/// The number in the reply to `CONFIG GET`.
fn number(told: &Result<Value, ClientError>) -> Option<u64> {
    told.as_ref().ok()?.as_array()?.get(1)?.as_str()?.parse().ok()
}
