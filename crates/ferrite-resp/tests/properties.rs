//! What holds for all inputs: encoded commands come back, pieces do not matter, garbage is
//! refused and never panics, the three levels agree.

use ferrite_resp::{Decoder, Limits, Value, decode, encode, peek, peek_bulk_header, skip};
use proptest::prelude::*;

/// Bytes that are likely to get past the first checks.
fn resp_like() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        prop::sample::select(b"+-:$*_#,(!=%~>|\r\n0123456789tfx".to_vec()).prop_map(|b| vec![b]),
        Just(b"\r\n".to_vec()),
        (0..12_i64, prop::sample::select(b"$*%~>|!=:".to_vec())).prop_map(|(n, kind)| format!(
            "{}{n}\r\n",
            kind as char
        )
        .into_bytes()),
        any::<u8>().prop_map(|b| vec![b]),
    ];
    prop::collection::vec(token, 0..40).prop_map(|parts| parts.concat())
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bulk),
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
        Just(Value::Null),
        "[a-zA-Z ]{0,20}".prop_map(|s| Value::Simple(s.into_bytes())),
        "[a-zA-Z ]{0,20}".prop_map(|s| Value::Error(s.into_bytes())),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Set),
            prop::collection::vec((inner.clone(), inner), 0..3).prop_map(Value::Map),
        ]
    })
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bulk(text) => encode::bulk(out, text),
        Value::Integer(value) => out.extend(format!(":{value}\r\n").bytes()),
        Value::Boolean(value) => out.extend(format!("#{}\r\n", &value.to_string()[..1]).bytes()),
        Value::Simple(text) => out.extend([b"+", text.as_slice(), b"\r\n"].concat()),
        Value::Error(text) => out.extend([b"-", text.as_slice(), b"\r\n"].concat()),
        Value::Array(items) => {
            encode::array_header(out, items.len());
            items.iter().for_each(|item| write(out, item));
        }
        Value::Set(items) => {
            out.extend(format!("~{}\r\n", items.len()).bytes());
            items.iter().for_each(|item| write(out, item));
        }
        Value::Map(pairs) => {
            out.extend(format!("%{}\r\n", pairs.len()).bytes());
            for (key, value) in pairs {
                write(out, key);
                write(out, value);
            }
        }
        _ => out.extend(b"_\r\n"),
    }
}

/// Feeds `wire` in pieces of the given sizes, as a connection would.
fn decode_in_pieces(wire: &[u8], sizes: &[usize]) -> Option<Value> {
    let mut decoder = Decoder::default();
    let (mut buffer, mut rest) = (Vec::new(), wire);
    for size in sizes.iter().cycle() {
        let (piece, tail) = rest.split_at((*size).min(rest.len()));
        buffer.extend_from_slice(piece);
        rest = tail;
        let (used, value) = decoder.decode(&buffer).ok()?;
        buffer.drain(..used);
        if value.is_some() || rest.is_empty() {
            return value;
        }
    }
    None
}

proptest! {
    #[test]
    fn commands_come_back(arguments in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..300), 0..12)) {
        let mut wire = b"prefix".to_vec();
        encode::command(&mut wire, &arguments);
        let wire = &wire[6..];
        let expected = Value::Array(arguments.into_iter().map(Value::Bulk).collect());
        prop_assert_eq!(decode(wire, &Limits::default()), Ok(Some((expected, wire.len()))));
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does(number in any::<i64>(), shift in 0..64_u32) {
        let number = number >> shift;
        let mut out = Vec::new();
        encode::integer(&mut out, number);
        prop_assert_eq!(out.clone(), number.to_string().into_bytes());
        let length = number.unsigned_abs() as usize;
        let (mut bulk, mut array, mut text) = (Vec::new(), Vec::new(), Vec::new());
        encode::bulk_header(&mut bulk, length);
        encode::array_header(&mut array, length);
        encode::bulk_integer(&mut text, number);
        prop_assert_eq!(bulk, format!("${length}\r\n").into_bytes());
        prop_assert_eq!(array, format!("*{length}\r\n").into_bytes());
        prop_assert_eq!(text, format!("${}\r\n{number}\r\n", out.len()).into_bytes());
    }

    #[test]
    fn values_come_back_in_any_pieces(value in value(), sizes in prop::collection::vec(1..20_usize, 1..6)) {
        let mut wire = Vec::new();
        write(&mut wire, &value);
        prop_assert_eq!(skip(&wire), Ok(Some(wire.len())));
        prop_assert_eq!(decode_in_pieces(&wire, &sizes), Some(value));
    }

    #[test]
    fn garbage_never_panics_and_the_levels_agree(input in resp_like()) {
        let _ = peek_bulk_header(&input);
        let _ = peek(&input);
        let skipped = skip(&input);
        if let Ok(Some((_, used))) = decode(&input, &Limits::default()) {
            prop_assert_eq!(skipped, Ok(Some(used)));
        }
    }

    #[test]
    fn what_is_incomplete_stays_so_or_is_refused(input in resp_like(), more in resp_like()) {
        // More bytes must not change what was already decided.
        let first = decode(&input, &Limits::default());
        let whole = decode(&[input.clone(), more].concat(), &Limits::default());
        if let Ok(Some(_)) | Err(_) = first {
            prop_assert_eq!(first, whole);
        }
    }
}
