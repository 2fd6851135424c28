//! Lines of JSON: read with a bound, written whole.

use std::io::{Error, ErrorKind, Result};

use serde::Serialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The next line without its end, if it is not longer than `limit` bytes; `None` at the end of the
/// stream. A line the other side did not finish is no line.
pub async fn read(from: &mut (impl AsyncBufRead + Unpin), limit: u64) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    from.take(limit + 1).read_until(b'\n', &mut line).await?;
    if line.pop_if(|byte| *byte == b'\n').is_some() {
        return Ok(Some(line));
    }
    if line.len() as u64 > limit {
        let why = format!("a line is longer than {limit} bytes");
        return Err(Error::new(ErrorKind::InvalidData, why));
    }
    Ok(None)
}

/// Writes a value as one line.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}
