//! Makes the target a replica of the source, and a master again.

use std::time::Instant;

use ferrite_client::{ClientError, Connection};
use serde_json::json;

use super::Replica;
use super::facts::{Fact, Next, next};
use super::settings::{Before, Settings};
use super::watch::Sample;
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::State;
use crate::live::cutover::{REPLICAS_FENCE, REPLICAS_SETTING};
use crate::live::run::journal_error;
use crate::targets::redis::{connect, target_error};

/// The name under which the journal has the target's settings as they were.
const SETTINGS: &str = "settings_before";
/// The name under which it has how many replicas the source needed to take writes.
pub const FENCE_BEFORE: &str = "fence_before";

impl Replica {
    /// Looks what the target is, and makes it a replica where it is none.
    ///
    /// # Errors
    /// A target that is lost, refuses, or may hold what the source has not.
    pub async fn take_up(&mut self) -> Result<(), MigrateError> {
        let mut target = connect(&self.checked.target.connector).await?;
        let sample = Sample::ask(&mut target).await.map_err(|error| self.lost(&error))?;
        let found = sample.found(self.source_place()?);
        match next(&self.fact, &found, self.job.config.traffic_stayed) {
            Next::GoOn => {
                self.lift_fence().await;
                self.keep_settings(&mut target).await?;
                self.set(&mut target).await?;
                self.record(State::Attaching, None, Fact::Attached(sample.run_id()))
            }
            Next::Attach(why) => {
                self.lift_fence().await;
                self.attach(&mut target, why).await
            }
            Next::Refuse(why) => Err(self.refused(&why)),
        }
    }

    /// Why the target is left as it is.
    pub fn refused(&self, why: &str) -> MigrateError {
        let doing = format!("making the target {} a replica", self.job.config.target.address);
        MigrateError::new(ErrorKind::Target, doing, why).with_hint(format!(
            "look at what it holds; if all of it may go and the application still writes to the \
             source: REPLICAOF NO ONE on the target, then ferrite-migrate migrate --resume {} \
             --traffic-stayed",
            self.job.id
        ))
    }

    /// Makes the target a replica of the source. It loses what it has when the source's RDB has
    /// come.
    ///
    /// # Errors
    /// A target that is lost or refuses.
    pub async fn attach(&mut self, target: &mut Connection, why: &str) -> Result<(), MigrateError> {
        self.keep_settings(target).await?;
        // An attempt that failed is made again without another record.
        if self.fact != Fact::Attaching {
            self.record(State::Attaching, Some(why), Fact::Attaching)?;
        }
        self.set(target).await?;
        let (host, port) = self.source_place()?;
        let command = ["REPLICAOF", host, &port.to_string()];
        target.call(&command).await.map_err(|error| self.lost(&error))?;
        let sample = Sample::ask(target).await.map_err(|error| self.lost(&error))?;
        tracing::debug!(host, port, "the target was told to replicate");
        (self.since, self.must_copy) = (Instant::now(), true);
        self.record(State::Attaching, None, Fact::Attached(sample.run_id()))
    }

    /// Records once what the target's settings were.
    async fn keep_settings(&mut self, target: &mut Connection) -> Result<(), MigrateError> {
        if self.before().is_some() {
            return Ok(());
        }
        let asked = Before::ask(target).await.map_err(|error| self.lost(&error))?;
        let Some(before) = asked else { return Ok(()) };
        let detail = json!({ SETTINGS: before.to_json() });
        self.dir.transition_with(State::Attaching, None, detail).map_err(journal_error)?;
        self.before = Some(before);
        Ok(())
    }

    /// What the target's settings were before we touched them.
    fn before(&mut self) -> Option<&Before> {
        if self.before.is_none() {
            let details = self.dir.journal().iter().filter_map(|record| record.detail.as_ref());
            self.before = details.filter_map(|it| it.get(SETTINGS)).next().map(Before::from_json);
        }
        self.before.as_ref()
    }

    /// Tells the target how the source lets it in.
    async fn set(&self, target: &mut Connection) -> Result<(), MigrateError> {
        let Some(now) = Before::ask(target).await.map_err(|error| self.lost(&error))? else {
            return Ok(());
        };
        let settings = Settings::of(self.checked.source.connector.address());
        settings.apply(target, &now).await.map_err(|error| self.lost(&error))
    }

    /// Gives the target its settings back.
    pub async fn put_settings_back(&mut self) {
        let connector = self.checked.target.connector.clone();
        let Some(before) = self.before().cloned() else { return };
        let put = async {
            let mut target = connector.connect().await?;
            before.put_back(&mut target).await
        };
        match put.await {
            Ok(true) => {}
            Ok(false) => self.job.warn(
                "the target had a masterauth before, which no process of ours knows any more: it \
                 has none now; CONFIG SET masterauth on the target if it is to have one",
            ),
            Err(error) => self.job.warn(format!(
                "the target keeps the masteruser, masterauth and tls-replication of the \
                 migration, which could not be put back: {error}"
            )),
        }
    }

    /// Lets the source take writes again, where a cutover that was not done keeps it from them.
    async fn lift_fence(&mut self) {
        if !matches!(self.fact, Fact::Promoting(_) | Fact::Switching) {
            return;
        }
        let details = self.dir.journal().iter().rev().filter_map(|record| record.detail.as_ref());
        let before = details.filter_map(|it| it.get(FENCE_BEFORE)?.as_str()).next();
        let before = before.unwrap_or("0").to_owned();
        let source = self.checked.source.connector.clone();
        let lifted = async {
            let mut source = source.connect().await?;
            let told = source.call(&["CONFIG", "GET", REPLICAS_SETTING]).await?;
            let value = told.as_array().and_then(|pair| pair.get(1)?.as_str());
            if value == Some(REPLICAS_FENCE) {
                source.call(&["CONFIG", "SET", REPLICAS_SETTING, &before]).await?;
            }
            Ok::<_, ClientError>(())
        };
        if let Err(error) = lifted.await {
            self.job.warn(format!(
                "whether the source takes writes again is not known ({error}): CONFIG SET \
                 {REPLICAS_SETTING} {before} on the source"
            ));
        }
    }

    /// Records what is about to be done to the target, or was.
    ///
    /// # Errors
    /// A disk that does not take it.
    pub fn record(
        &mut self,
        state: State,
        reason: Option<&str>,
        fact: Fact,
    ) -> Result<(), MigrateError> {
        self.dir.transition_with(state, reason, fact.detail()).map_err(journal_error)?;
        self.fact = fact;
        self.show(state);
        Ok(())
    }

    /// Host and port by which the target reaches the source.
    ///
    /// # Errors
    /// A configuration without one, which the checks refuse.
    pub fn source_place(&self) -> Result<(&str, u16), MigrateError> {
        self.job.config.replicates_from().ok_or_else(|| {
            let cause = "the source is a Unix socket";
            MigrateError::new(ErrorKind::Config, "telling the target its source", cause)
                .with_hint("--replica-source HOST:PORT")
        })
    }

    /// A target that is lost.
    pub fn lost(&self, error: &ClientError) -> MigrateError {
        target_error("making it a replica", &self.checked.target.connector, error)
    }
}
