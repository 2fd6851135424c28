//! The walk over an RDB that is written again, whoever sends it.

use ferrite_rdb::{Format, Reader, Sink, Step};

use super::output::{LargeHead, Next, RdbOutput};
use crate::error::MigrateError;
use crate::sources::rdb::Supply;

/// Bytes from which a value comes in pieces.
pub const VALUE_LIMIT: usize = 1 << 20;
/// Bytes of a value that are held to be looked into or written anew.
pub const COLLECT_MAX: usize = 64 << 20;
/// Stored bytes that are taken at a time.
const WINDOW: usize = 256 << 10;
/// Why a value is not carried that does not fit.
const TOO_LARGE: &str = "above 64 MiB, and has to be written anew for that server";

/// Elements that nobody needs: the bytes they are stored in are what is written.
pub struct Nobody;

impl Sink for Nobody {}

/// Writes all there is.
///
/// # Errors
/// An RDB that ends early or is malformed, or an output that cannot be written.
pub async fn write_rdb<S: Supply>(
    supply: &mut S,
    output: &mut RdbOutput,
) -> Result<(), MigrateError> {
    let mut reader = Reader::new(VALUE_LIMIT);
    loop {
        match events(supply, &mut reader, output)? {
            Next::Go => supply.fill().await?,
            Next::End => return Ok(()),
            Next::Large(head) => {
                let format = reader.format();
                Pieces { supply, reader: &mut reader, window: WINDOW }
                    .value(format, &head, output)
                    .await?;
            }
        }
    }
}

/// Takes what is there; [`Next::Go`] asks for more bytes.
fn events<S: Supply>(
    supply: &mut S,
    reader: &mut Reader,
    output: &mut RdbOutput,
) -> Result<Next, MigrateError> {
    let bytes = supply.bytes();
    let mut taken = 0;
    let mut next = Next::Go;
    while let Some(input) = bytes.get(taken..) {
        let step = reader.next(input).map_err(|error| supply.bad_data(&error))?;
        let Step::Event { consumed, event } = step else { break };
        taken += consumed;
        next = output.event(reader.format(), event)?;
        if !matches!(next, Next::Go) {
            break;
        }
    }
    supply.consume(taken);
    Ok(next)
}

/// The pieces of one value.
struct Pieces<'a, S> {
    supply: &'a mut S,
    reader: &'a mut Reader,
    window: usize,
}

impl<S: Supply> Pieces<'_, S> {
    async fn value(
        mut self,
        format: Format,
        head: &LargeHead,
        output: &mut RdbOutput,
    ) -> Result<(), MigrateError> {
        let mut held = Some(Vec::new());
        let mut is_written = output.passes_in_pieces(format, head.type_byte);
        if is_written {
            output.begin(format, head);
            held = None;
        }
        loop {
            let (piece, is_last) = self.next().await?;
            let bytes = self.supply.bytes().get(..piece).unwrap_or_default();
            match &mut held {
                Some(value) => value.extend_from_slice(bytes),
                None if is_written => output.piece(bytes)?,
                None => {}
            }
            self.supply.consume(piece);
            if let Some(value) = held.take_if(|value| value.len() > COLLECT_MAX) {
                is_written = output.passes_unseen(format, head.type_byte);
                if is_written {
                    output.begin(format, head);
                    output.piece(&value)?;
                } else {
                    output.skip(head.db, &head.key, TOO_LARGE);
                }
            }
            if is_last {
                break;
            }
        }
        held.map_or(Ok(()), |value| output.collected(format, head, &value))
    }

    /// How many of the bytes that are there belong to the value, and whether it ends with them.
    async fn next(&mut self) -> Result<(usize, bool), MigrateError> {
        loop {
            let bytes = self.supply.bytes();
            let is_all = self.window >= bytes.len();
            let input = bytes.get(..self.window).unwrap_or(bytes);
            let part = self.reader.next_part(input, &mut Nobody);
            let part = part.map_err(|error| self.supply.bad_data(&error))?;
            if part.consumed > 0 || part.done {
                self.window = WINDOW;
                return Ok((part.consumed, part.done));
            }
            self.window = self.window.saturating_mul(2);
            if is_all {
                self.supply.fill().await?;
            }
        }
    }
}
