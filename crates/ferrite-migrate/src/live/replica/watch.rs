//! Asks an end over and over how it is, so that one that does not answer keeps nobody waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ferrite_client::server::Info;
use ferrite_client::{ClientError, Connection, Connector, Pipeline, Value};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::facts::Found;
use crate::engine::now_ms;

/// How often an end is asked.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long an end may take to answer: it does nothing else that takes long.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// What an end said last.
#[derive(Clone, Debug, Default)]
pub enum Seen {
    /// Nothing yet.
    #[default]
    Nothing,
    /// How it is.
    Told(Arc<Sample>),
    /// It loads its data, and says nothing else.
    Loading,
    /// Why it cannot be asked.
    Lost(String),
}

/// How an end is.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it was asked.
    pub asked: Instant,
    /// The same in Unix time, ms.
    pub asked_ms: u64,
    /// What it says of itself.
    pub info: Info,
    /// A replica's word for its link: `connect`, `connecting`, `handshake`, `sync`, `connected`.
    pub link: String,
}

impl Sample {
    /// Asks a server.
    ///
    /// # Errors
    /// A server that is lost, or does not tell.
    pub async fn ask(connection: &mut Connection) -> Result<Self, ClientError> {
        let (asked, asked_ms) = (Instant::now(), now_ms());
        let mut pipeline = Pipeline::new();
        pipeline.push(&["INFO"]).push(&["ROLE"]);
        let mut replies = connection.pipeline(&pipeline).await?.into_iter();
        let refused = |error| ClientError::Reply {
            address: connection.address().to_owned(),
            command: String::from("INFO"),
            error,
        };
        let info = replies.next().unwrap_or(Ok(Value::Null)).map_err(refused)?;
        let info = Info::parse(info.as_bytes().unwrap_or_default());
        // Where ROLE is not allowed, INFO says enough to follow.
        let role = replies.next().and_then(Result::ok);
        let word = role.as_ref().and_then(|role| role.as_array()?.get(3)?.as_str());
        Ok(Self { asked, asked_ms, info, link: word.unwrap_or_default().to_owned() })
    }

    /// In which role it is, for a target that is to be a replica of this host and port.
    #[must_use]
    pub fn found(&self, (host, port): (&str, u16)) -> Found {
        if self.info.get("role") == Some("slave") {
            let of = |name| self.info.get(name).unwrap_or_default();
            let (its_host, its_port) = (of("master_host"), of("master_port"));
            return match its_host == host && its_port == port.to_string() {
                true => Found::Ours,
                false => Found::Other(format!("{its_host}:{its_port}")),
            };
        }
        let number = |name| self.info.get(name).and_then(|text| text.parse::<i64>().ok());
        let promoted_at = number("second_repl_offset").filter(|offset| *offset >= 0);
        let is_untouched = promoted_at.is_some_and(|promoted| {
            number("master_repl_offset").is_some_and(|now| now.checked_add(1) == Some(promoted))
        });
        Found::Master { run_id: self.run_id(), is_untouched }
    }

    /// The id of the server's process.
    #[must_use]
    pub fn run_id(&self) -> String {
        self.info.get("run_id").unwrap_or_default().to_owned()
    }

    /// Names its history.
    #[must_use]
    pub fn replid(&self) -> &str {
        self.info.get("master_replid").unwrap_or_default()
    }

    /// Whether a replica has its link and is not copying.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.info.get("master_link_status") == Some("up")
    }

    /// Whether a replica receives or loads the RDB.
    #[must_use]
    pub fn is_copying(&self) -> bool {
        self.is_loading() || self.info.flag("master_sync_in_progress")
    }

    /// Whether it loads data into its memory.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.info.flag("loading") || self.info.flag("async_loading")
    }

    /// Bytes of the RDB that were received or loaded, and how many there are where that is known.
    #[must_use]
    pub fn copied(&self) -> (u64, Option<u64>) {
        let number = |name| self.info.number(name);
        let known = |total: Option<u64>| total.filter(|total| *total > 0);
        if self.is_loading() {
            return (
                number("loading_loaded_bytes").unwrap_or(0),
                known(number("loading_total_bytes")),
            );
        }
        let total = known(number("master_sync_total_bytes"));
        let left = number("master_sync_left_bytes");
        let done = total.zip(left).map(|(total, left)| total.saturating_sub(left));
        (done.or(number("master_sync_read_bytes")).unwrap_or(0), total)
    }

    /// Offset up to which a replica has applied its master's stream.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.info.number("slave_repl_offset").unwrap_or(0)
    }

    /// The offset of a server's own stream.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.info.number("master_repl_offset").unwrap_or(0)
    }

    /// Keys in all databases.
    #[must_use]
    pub fn keys(&self) -> u64 {
        ferrite_client::server::ServerInfo::from_info(self.info.clone()).keys()
    }
}

/// Watches one end, until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    /// What the end said last.
    pub seen: watch::Receiver<Seen>,
    /// Have it connect anew each time: a connection that is open says nothing of whether another
    /// would be let in.
    connects_anew: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Begins to watch.
    #[must_use]
    pub fn start(connector: Connector) -> Self {
        let (tell, seen) = watch::channel(Seen::Nothing);
        let connects_anew = Arc::new(AtomicBool::new(false));
        let anew = Arc::clone(&connects_anew);
        let connector = connector.connect_timeout(ANSWERS_WITHIN).reply_timeout(ANSWERS_WITHIN);
        let task = tokio::spawn(async move {
            let mut connection = None;
            loop {
                if anew.load(Ordering::Relaxed) {
                    connection = None;
                }
                let told = look(&connector, &mut connection).await;
                if tell.send(told).is_err() {
                    return;
                }
                sleep(ASK_EVERY).await;
            }
        });
        Self { seen, connects_anew, task }
    }

    /// From here on, has it connect anew each time, or no more.
    pub fn connect_anew(&self, anew: bool) {
        self.connects_anew.store(anew, Ordering::Relaxed);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(connector: &Connector, connection: &mut Option<Connection>) -> Seen {
    let looked = async {
        let mut open = match connection.take() {
            Some(open) => open,
            None => connector.connect().await?,
        };
        let sample = Sample::ask(&mut open).await?;
        *connection = Some(open);
        Ok::<_, ClientError>(sample)
    };
    match looked.await {
        Ok(sample) => Seen::Told(Arc::new(sample)),
        Err(error) if is_loading(&error) => Seen::Loading,
        Err(error) => Seen::Lost(error.to_string()),
    }
}

/// Whether a server cannot answer because it loads its data.
#[must_use]
pub fn is_loading(error: &ClientError) -> bool {
    error.reply().is_some_and(|reply| reply.code == "LOADING")
}
