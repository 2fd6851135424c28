//! Asks both ends how they are while keys are copied: a `PING` on a connection of its own, ten
//! times a second. An answer that is still due counts by its age.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::{ClientError, Connection, Connector};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Gate, Reason};
use crate::engine::Job;

/// How often an end is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long to wait before an end is connected to again.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Both ends being asked, until this is dropped. An end whose answers are not limited is not
/// connected to.
#[derive(Debug)]
pub struct Probes {
    job: Arc<Job>,
    _tasks: JoinSet<()>,
}

impl Probes {
    /// Begins to ask; a source that is no server is not asked.
    pub fn start(job: &Arc<Job>, source: Option<&Connector>, target: &Connector) -> Self {
        let mut tasks = JoinSet::new();
        let source = source.map(|source| (Reason::Source, source));
        for (reason, connector) in source.into_iter().chain([(Reason::Target, target)]) {
            tasks.spawn(watch(Arc::clone(job), connector.clone(), reason));
        }
        Self { job: Arc::clone(job), _tasks: tasks }
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.job.gate.rest();
    }
}

/// Asks an end whenever its answers are limited.
async fn watch(job: Arc<Job>, connector: Connector, reason: Reason) {
    let mut is_told = false;
    loop {
        job.gate.until_limited(reason).await;
        let asked = match connector.connect().await {
            Ok(mut connection) => ask(&job.gate, &mut connection, reason).await,
            Err(error) => Err(error),
        };
        if let Err(error) = asked {
            job.gate.forget_answers(reason);
            if !std::mem::replace(&mut is_told, true) {
                let (end, option) = (reason.name(), reason.option());
                job.warn(format!("{option}: cannot measure how the {end} answers now: {error}"));
            }
            sleep(CONNECT_AGAIN_AFTER).await;
        }
    }
}

/// Asks until the answers are no longer limited.
async fn ask(gate: &Gate, connection: &mut Connection, reason: Reason) -> Result<(), ClientError> {
    while gate.is_limited_by(reason) {
        let began = Instant::now();
        let ping = ping(connection);
        tokio::pin!(ping);
        let took = loop {
            tokio::select! {
                took = &mut ping => break took?,
                () = sleep(ASK_EVERY) => gate.answered(reason, began.elapsed()),
            }
        };
        gate.answered(reason, took);
        sleep(ASK_EVERY).await;
    }
    Ok(())
}

/// How long a server takes to answer once. What it answers does not matter: a refusal takes the
/// same way.
///
/// # Errors
/// No answer.
pub async fn ping(connection: &mut Connection) -> Result<Duration, ClientError> {
    let began = Instant::now();
    match connection.call(&["PING"]).await {
        Err(error) if error.reply().is_none() && !error.is_refusal() => Err(error),
        _ => Ok(began.elapsed()),
    }
}
