//! Any bytes as replies: the decoder fed at once and in pieces, the skipper and the peeker must
//! agree on what is there, where it ends, and whether it is damaged.

#![no_main]

use ferrite_resp::{Decoder, Limits, ProtocolError, Value, decode, peek, peek_bulk_header, skip};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { depth: 8, bulk: 1 << 20, elements: 1 << 12, reply: 1 << 20 };

type Replies = (Vec<Value>, Option<ProtocolError>);

fuzz_target!(|data: &[u8]| {
    let Some((&size, wire)) = data.split_first() else { return };
    let _ = (peek(wire), peek_bulk_header(wire));
    let whole = at_once(wire);
    let parts = in_pieces(wire, usize::from(size).max(1));
    assert_eq!(format!("{:?}", whole.0), format!("{:?}", parts.0));
    assert_eq!(
        whole.1.is_some(),
        parts.1.is_some(),
        "{:?} at once, {:?} in parts",
        whole.1,
        parts.1
    );
});

/// Every reply on its own, each also skipped.
fn at_once(wire: &[u8]) -> Replies {
    let (mut values, mut rest) = (Vec::new(), wire);
    loop {
        match decode(rest, &LIMITS) {
            Ok(Some((value, used))) => {
                assert!(used > 0);
                assert_eq!(skip(rest), Ok(Some(used)));
                values.push(value);
                rest = &rest[used..];
            }
            Ok(None) => return (values, None),
            Err(error) => return (values, Some(error)),
        }
    }
}

/// One decoder for all, fed as a connection would.
fn in_pieces(wire: &[u8], size: usize) -> Replies {
    let (mut decoder, mut values, mut buffer) = (Decoder::new(LIMITS), Vec::new(), Vec::new());
    for piece in wire.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&buffer) {
                Ok((used, value)) => {
                    buffer.drain(..used);
                    match value {
                        Some(value) => values.push(value),
                        None => break,
                    }
                }
                Err(error) => return (values, Some(error)),
            }
        }
    }
    (values, None)
}
