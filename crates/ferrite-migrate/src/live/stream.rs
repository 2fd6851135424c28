//! Takes the commands of a replication stream apart, without copying them.

use ferrite_resp::{AggregateKind, ProtocolError, ReplyRef, peek};

/// Words of the largest command that is understood; Redis refuses more from its clients too.
const WORDS_MAX: usize = 1 << 20;

/// The words of the command at the start of `input`, into `words`, and the bytes it takes; `None`
/// when it is incomplete.
///
/// # Errors
/// Bytes that are no command.
pub fn command<'a>(
    input: &'a [u8],
    words: &mut Vec<&'a [u8]>,
) -> Result<Option<usize>, ProtocolError> {
    words.clear();
    let Some((head, mut used)) = peek(input)? else { return Ok(None) };
    let ReplyRef::Aggregate(AggregateKind::Array, count) = head else {
        return Err(ProtocolError::UnknownType(input.first().copied().unwrap_or(0)));
    };
    if count > WORDS_MAX {
        return Err(ProtocolError::UnknownType(b'*'));
    }
    for _ in 0..count {
        let rest = input.get(used..).unwrap_or_default();
        match peek(rest)? {
            Some((ReplyRef::Bulk(word), taken)) => {
                words.push(word);
                used += taken;
            }
            Some(_) => {
                return Err(ProtocolError::UnknownType(rest.first().copied().unwrap_or(0)));
            }
            None => return Ok(None),
        }
    }
    Ok(Some(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_or_waited_for_or_refused() {
        let mut words = Vec::new();
        let input = b"*2\r\n$3\r\nDEL\r\n$2\r\n\r\n\r\n*1\r\n";
        assert_eq!(command(input, &mut words), Ok(Some(21)));
        assert_eq!(words, [&b"DEL"[..], b"\r\n"]);
        for end in 0..21 {
            assert_eq!(command(&input[..end], &mut words), Ok(None), "{end}");
        }
        for nonsense in [&b"+OK\r\n"[..], b"*1\r\n:1\r\n", b"$1\r\na\r\n", b"*1048577\r\n"] {
            assert!(command(nonsense, &mut words).is_err());
        }
    }
}
