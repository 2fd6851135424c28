//! Finds the next command behind damage.
//!
//! ```text
//! … damage … \r\n *<words>\r\n $<length>\r\n<name>\r\n …
//! ```
//!
//! A value may contain bytes that look like this; then what is found is a command that was never
//! executed. That is why nobody goes past damage without being asked to.

/// The longest name a command may have to be taken for one, in bytes.
const NAME_MAX: usize = 64;
/// The bytes a beginning can take: line end, two headers with numbers of seven digits, a name.
const BEGINNING_MAX: usize = 2 + 10 + 10 + NAME_MAX + 2;
/// Digits at most of a number in a header that is believed.
const DIGITS_MAX: usize = 7;

/// Where the next command may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// So many bytes on.
    Command(usize),
    /// Not in these bytes; so many of them need not be looked at again.
    Nothing(usize),
}

/// Looks for a command in bytes of an append-only file that begin in the middle of one.
#[must_use]
pub fn find_command(input: &[u8]) -> Found {
    let ends = input.windows(2).enumerate().filter(|(_, pair)| pair == b"\r\n");
    let mut starts = ends.map(|(at, _)| at + 2);
    match starts.find(|start| is_beginning(input.get(*start..).unwrap_or_default())) {
        Some(start) => Found::Command(start),
        None => Found::Nothing(input.len().saturating_sub(BEGINNING_MAX)),
    }
}

/// Whether a command begins here, as far as its name tells.
fn is_beginning(input: &[u8]) -> bool {
    let Some((words, rest)) = number(input, b'*') else { return false };
    let Some((length, rest)) = number(rest, b'$') else { return false };
    let Some((name, rest)) = rest.split_at_checked(length) else { return false };
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-|".contains(byte);
    words > 0
        && (1..=NAME_MAX).contains(&length)
        && name.iter().all(is_name_byte)
        && rest.starts_with(b"\r\n")
}

fn number(input: &[u8], kind: u8) -> Option<(usize, &[u8])> {
    let rest = input.strip_prefix(&[kind])?;
    let digits = rest.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let (text, rest) =
        rest.split_at_checked(digits).filter(|(text, _)| text.len() <= DIGITS_MAX)?;
    let number = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some((number, rest.strip_prefix(b"\r\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_is_found() {
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\nlost\r\n*1\r\n$4\r\nPING\r\n";
        assert_eq!(find_command(&input[1..]), Found::Command(input.len() - 14 - 1));
        for cut in input.len() - 13..input.len() {
            assert!(matches!(find_command(&input[1..cut]), Found::Nothing(_)), "{cut}");
        }
    }

    #[test]
    fn what_was_seen_need_not_be_seen_again() {
        let mut input = vec![b'x'; 1000];
        input.extend_from_slice(b"\r\n*1\r\n$4\r\nPING\r\n");
        for cut in 0..input.len() {
            let Found::Nothing(seen) = find_command(&input[..cut]) else { panic!("{cut}") };
            let Found::Command(at) = find_command(&input[seen..]) else { panic!("{cut}") };
            assert_eq!(seen + at, 1002);
        }
    }

    #[test]
    fn values_are_not_taken_for_commands() {
        for input in [
            &b"\r\n*x\r\n$4\r\nPING\r\n"[..],
            b"\r\n*0\r\n$4\r\nPING\r\n",
            b"\r\n*1\r\n$4\r\nP NG\r\n",
            b"\r\n*1\r\n$99999999\r\nPING\r\n",
            b"\r\n*1\r\n$5\r\nPING\r\n",
            b"\n*1\r\n$4\r\nPING\r\n",
        ] {
            assert!(matches!(find_command(input), Found::Nothing(_)), "{input:?}");
        }
    }
}
