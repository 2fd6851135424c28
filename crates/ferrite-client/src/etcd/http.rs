//! One HTTP/1.1 connection, for requests and answers in JSON.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{ClientError, Connector};

/// Most bytes of one answer: a page of results, each of them far below the 1.5 MiB etcd keeps.
const ANSWER_MAX: usize = 64 << 20;
/// Most bytes that are shown of an answer that is no JSON.
const SHOWN_MAX: usize = 80;

/// A connection to one server.
#[derive(Debug)]
pub(super) struct Http {
    sender: SendRequest<Full<Bytes>>,
    /// Which server it is.
    server: usize,
    driver: JoinHandle<()>,
}

impl Drop for Http {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Value,
    is_success: bool,
}

impl Answer {
    /// gRPC's number of a refusal.
    pub(super) fn code(&self) -> Option<i64> {
        // A refusal within a stream has the status of a success.
        let refusal = self.body.get("error").filter(|error| error.is_object());
        let refusal = refusal.unwrap_or(&self.body);
        let code = refusal.get("code").or(refusal.get("grpc_code")).and_then(Value::as_i64);
        code.or_else(|| (!self.is_success).then_some(-1))
    }

    /// The words of a refusal.
    pub(super) fn message(&self) -> String {
        let refusal = self.body.get("error").filter(|error| error.is_object());
        let refusal = refusal.unwrap_or(&self.body);
        let words = ["message", "error"].iter().find_map(|name| refusal.get(name)?.as_str());
        words.map_or_else(|| self.body.to_string(), str::to_owned)
    }
}

impl Http {
    pub(super) async fn connect(connector: &Connector, server: usize) -> Result<Self, ClientError> {
        let stream = TokioIo::new(connector.open().await?);
        let (sender, connection) =
            http1::handshake(stream).await.map_err(|error| broken(connector, error))?;
        // It ends with the connection, or when nobody can send any more.
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told by its sender.
            let _ = connection.await;
        });
        Ok(Self { sender, server, driver })
    }

    /// Whether it leads to this server and was not closed.
    pub(super) fn is_open_to(&self, server: usize) -> bool {
        self.server == server && !self.sender.is_closed()
    }

    pub(super) async fn post(
        &mut self,
        path: &str,
        body: &Value,
        token: Option<&str>,
        place: &str,
        doing: &str,
    ) -> Result<Answer, ClientError> {
        let broken = |cause: io::Error| ClientError::Broken {
            address: place.to_owned(),
            doing: doing.to_owned(),
            cause,
        };
        let mut request =
            Request::post(path).header("host", place).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let request = request.body(Full::new(Bytes::from(body.to_string())));
        let request = request.map_err(|error| broken(io::Error::other(error)))?;
        let response = self.sender.send_request(request).await;
        let response = response.map_err(|error| broken(io::Error::other(error)))?;
        let is_success = response.status().is_success();
        let collected = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = collected.map_err(|error| match error.is::<LengthLimitError>() {
            true => ClientError::TooLarge {
                address: place.to_owned(),
                doing: doing.to_owned(),
                limit: ANSWER_MAX,
            },
            false => broken(io::Error::other(error)),
        })?;
        let body = body.to_bytes();
        let body = serde_json::from_slice(&body).map_err(|_| not_json(place, doing, &body))?;
        Ok(Answer { body, is_success })
    }
}

fn broken(connector: &Connector, error: hyper::Error) -> ClientError {
    let (address, doing) = (connector.place(), String::from("saying hello"));
    ClientError::Broken { address, doing, cause: io::Error::other(error) }
}

fn not_json(place: &str, doing: &str, body: &[u8]) -> ClientError {
    let shown = body.get(..SHOWN_MAX).unwrap_or(body).escape_ascii().to_string();
    ClientError::Unexpected {
        address: place.to_owned(),
        doing: doing.to_owned(),
        what: format!("'{shown}', which is not what the JSON gateway of etcd says"),
    }
}
