//! The difference between two clocks.

use ferrite_client::{ClientError, Connection};

use crate::engine::now_ms;

/// How often the server is asked: the quickest answer is the most exact.
const ATTEMPTS: u32 = 5;

/// What to add to our clock to get the server's, in ms; exact to half the time of a round trip.
///
/// # Errors
/// A server that does not tell its time.
pub async fn skew_ms(connection: &mut Connection) -> Result<i64, ClientError> {
    let mut best = (u64::MAX, 0);
    for _ in 0..ATTEMPTS {
        let before = now_ms();
        let time = connection.call(&["TIME"]).await?;
        let after = now_ms();
        let parts = time.as_array().unwrap_or_default();
        let part = |index: usize| parts.get(index)?.as_str()?.parse::<u64>().ok();
        let theirs = part(0).unwrap_or(0) * 1000 + part(1).unwrap_or(0) / 1000;
        let (took, ours) = (after.saturating_sub(before), before.midpoint(after));
        if took < best.0 {
            best = (took, theirs.cast_signed().saturating_sub(ours.cast_signed()));
        }
    }
    Ok(best.1)
}
