//! Function libraries on the target.

use ferrite_client::{Connector, Value};

use super::{Capabilities, connect, target_error};
use crate::config::OnConflict;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};

/// Loads a library.
///
/// # Errors
/// A refusal, or the loss of the connection.
pub async fn load(
    job: &Job,
    connector: &Connector,
    capabilities: &Capabilities,
    code: &[u8],
) -> Result<(), MigrateError> {
    let name = library_name(code);
    tracing::debug!(library = %name.escape_ascii(), "loading a function library");
    if !capabilities.functions {
        job.tally(|tally| tally.leave_out(0, name, "function library: the target has none"));
        return Ok(());
    }
    if job.config.dry_run {
        job.tally(|tally| tally.functions += 1);
        return Ok(());
    }
    let mut connection = connect(connector).await?;
    let replace = capabilities.on_conflict == OnConflict::Replace;
    let command: &[&[u8]] = match replace {
        true => &[b"FUNCTION", b"LOAD", b"REPLACE", code],
        false => &[b"FUNCTION", b"LOAD", code],
    };
    let Err(error) = connection.call(command).await else {
        job.tally(|tally| tally.functions += 1);
        return Ok(());
    };
    let exists = error.reply().is_some_and(|reply| reply.message.contains("already exists"));
    if !exists {
        let doing = format!("loading the function library \"{}\"", name.escape_ascii());
        return Err(target_error(doing, connector, &error));
    }
    let there = libraries(&mut connection)
        .await
        .map_err(|error| target_error("reading the function libraries", connector, &error))?;
    if there.iter().any(|library| library == code) {
        job.tally(|tally| tally.functions += 1);
        return Ok(());
    }
    there_already(job, capabilities, connector, name)
}

fn there_already(
    job: &Job,
    capabilities: &Capabilities,
    connector: &Connector,
    name: &[u8],
) -> Result<(), MigrateError> {
    if capabilities.on_conflict == OnConflict::Skip {
        job.tally(|tally| {
            tally.leave_out(0, name, "function library already on the target with other code");
        });
        return Ok(());
    }
    let doing = format!(
        "loading the function library \"{}\" on the target {}",
        name.escape_ascii(),
        connector.address()
    );
    Err(MigrateError::new(ErrorKind::Target, doing, "it is already there with other code")
        .with_hint("choose --on-conflict replace or skip"))
}

/// The code of every library of a server.
///
/// # Errors
/// A refusal, or the loss of the connection.
pub async fn libraries(
    connection: &mut ferrite_client::Connection,
) -> Result<Vec<Vec<u8>>, ferrite_client::ClientError> {
    let reply = connection.call(&[&b"FUNCTION"[..], b"LIST", b"WITHCODE"]).await?;
    let libraries = reply.as_array().unwrap_or_default();
    Ok(libraries.iter().filter_map(library_code).collect())
}

fn library_code(library: &Value) -> Option<Vec<u8>> {
    let pairs = library.clone().into_pairs().ok()?;
    let code = pairs.iter().find(|(name, _)| name.as_bytes() == Some(b"library_code"))?;
    code.1.as_bytes().map(<[u8]>::to_vec)
}

/// The name in `#!lua name=mylib`, the first line of every library's code.
#[must_use]
pub fn library_name(code: &[u8]) -> &[u8] {
    let line = code.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let words = line.split(|byte| byte.is_ascii_whitespace());
    words.into_iter().find_map(|word| word.strip_prefix(b"name=")).unwrap_or(line)
}
