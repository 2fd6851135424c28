//! Replies of every type, whole, split at every byte, and beyond the limits.

use ferrite_resp::{
    AggregateKind, Decoder, Limits, ProtocolError, ReplyRef, Value, decode, peek, peek_bulk_header,
    skip,
};

fn bulk(text: &str) -> Value {
    Value::Bulk(text.as_bytes().to_vec())
}

/// Wire form and value, every type and the corners of each.
fn samples() -> Vec<(&'static [u8], Value)> {
    vec![
        (b"+OK\r\n", Value::Simple(b"OK".to_vec())),
        (b"+\r\n", Value::Simple(Vec::new())),
        (b"+a\rb\nc\xff\0\r\n", Value::Simple(b"a\rb\nc\xff\0".to_vec())),
        (b"-ERR \xff\xfe bad\r\n", Value::Error(b"ERR \xff\xfe bad".to_vec())),
        (b":0\r\n", Value::Integer(0)),
        (b":+7\r\n", Value::Integer(7)),
        (b":9223372036854775807\r\n", Value::Integer(i64::MAX)),
        (b":-9223372036854775808\r\n", Value::Integer(i64::MIN)),
        (b"$0\r\n\r\n", bulk("")),
        (b"$5\r\nhe\r\no\r\n", bulk("he\r\no")),
        (b"$-1\r\n", Value::Null),
        (b"*-1\r\n", Value::Null),
        (b"_\r\n", Value::Null),
        (b"*0\r\n", Value::Array(vec![])),
        (b"*2\r\n:1\r\n*1\r\n$1\r\na\r\n", {
            Value::Array(vec![Value::Integer(1), Value::Array(vec![bulk("a")])])
        }),
        (b"%1\r\n+k\r\n*0\r\n", {
            Value::Map(vec![(Value::Simple(b"k".to_vec()), Value::Array(vec![]))])
        }),
        (b"~1\r\n:1\r\n", Value::Set(vec![Value::Integer(1)])),
        (b">1\r\n:1\r\n", Value::Push(vec![Value::Integer(1)])),
        (b",-1.5e3\r\n", Value::Double(-1500.0)),
        (b",inf\r\n", Value::Double(f64::INFINITY)),
        (b"#t\r\n", Value::Boolean(true)),
        (b"#f\r\n", Value::Boolean(false)),
        (b"(123456789012345678901234567890\r\n", {
            Value::BigNumber(b"123456789012345678901234567890".to_vec())
        }),
        (b"!5\r\nERR x\r\n", Value::Error(b"ERR x".to_vec())),
        (b"=7\r\ntxt:abc\r\n", Value::Verbatim { format: *b"txt", text: b"abc".to_vec() }),
        (b"|1\r\n+ttl\r\n:3600\r\n:1\r\n", Value::Integer(1)),
        (b"*2\r\n|1\r\n:1\r\n:2\r\n:3\r\n|0\r\n:4\r\n", {
            Value::Array(vec![Value::Integer(3), Value::Integer(4)])
        }),
    ]
}

#[test]
fn every_type_decodes_whole_and_with_bytes_behind() {
    for (wire, value) in samples() {
        let mut input = wire.to_vec();
        input.extend_from_slice(b"+NEXT\r\n");
        let decoded = decode(&input, &Limits::default());
        assert_eq!(decoded, Ok(Some((value, wire.len()))), "{:?}", wire.escape_ascii());
        assert_eq!(skip(&input), Ok(Some(wire.len())), "{:?}", wire.escape_ascii());
    }
}

#[test]
fn every_type_waits_for_its_last_byte() {
    for (wire, value) in samples() {
        for cut in 0..wire.len() {
            let (head, tail) = wire.split_at(cut);
            let name = wire.escape_ascii().to_string();
            assert_eq!(decode(head, &Limits::default()), Ok(None), "{name} cut at {cut}");
            assert_eq!(skip(head), Ok(None), "{name} cut at {cut}");
            let mut decoder = Decoder::default();
            let (used, none) = decoder.decode(head).unwrap();
            assert_eq!(none, None, "{name} cut at {cut}");
            let rest = [&head[used..], tail].concat();
            let (last, found) = decoder.decode(&rest).unwrap();
            assert_eq!(found.as_ref(), Some(&value), "{name} cut at {cut}");
            assert_eq!(used + last, wire.len());
            assert!(!decoder.is_midway());
        }
    }
}

#[test]
fn decoder_takes_single_bytes() {
    for (wire, value) in samples() {
        let mut decoder = Decoder::default();
        let mut buffer = Vec::new();
        let mut found = None;
        for byte in wire {
            buffer.push(*byte);
            let (used, value) = decoder.decode(&buffer).unwrap();
            buffer.drain(..used);
            found = found.or(value);
        }
        assert_eq!(found, Some(value));
        assert!(buffer.is_empty());
    }
}

#[test]
fn peek_borrows_one_element() {
    let cases: [(&[u8], ReplyRef<'_>, usize); 6] = [
        (b"+OK\r\n", ReplyRef::Simple(b"OK"), 5),
        (b"$3\r\nabc\r\n:1\r\n", ReplyRef::Bulk(b"abc"), 9),
        (b"-ERR\r\n", ReplyRef::Error(b"ERR"), 6),
        (b"*2\r\n:1\r\n", ReplyRef::Aggregate(AggregateKind::Array, 2), 4),
        (b"=7\r\ntxt:abc\r\n", ReplyRef::Verbatim { format: b"txt", text: b"abc" }, 13),
        (b"$-1\r\n", ReplyRef::Null, 5),
    ];
    for (wire, reply, used) in cases {
        assert_eq!(peek(wire), Ok(Some((reply, used))));
    }
    assert_eq!(peek(b"$3\r\nabc\r"), Ok(None));
    assert_eq!(peek(b"$3\r\nabcd\r\n"), Err(ProtocolError::MissingTerminator));
}

#[test]
fn bulk_header_comes_before_its_body() {
    assert_eq!(peek_bulk_header(b"$500000000\r\nabc"), Ok(Some((Some(500_000_000), 12))));
    assert_eq!(peek_bulk_header(b"$-1\r\n"), Ok(Some((None, 5))));
    assert_eq!(peek_bulk_header(b"$50"), Ok(None));
    assert_eq!(peek_bulk_header(b"-ERR\r\n"), Err(ProtocolError::UnknownType(b'-')));
}

#[test]
fn malformed_input_is_named() {
    let cases: [(&[u8], ProtocolError); 12] = [
        (b"hello\r\n", ProtocolError::UnknownType(b'h')),
        (b"\x15\x03\x01", ProtocolError::UnknownType(0x15)),
        (b":\r\n", ProtocolError::BadNumber),
        (b":-\r\n", ProtocolError::BadNumber),
        (b":1a\r\n", ProtocolError::BadNumber),
        (b":1\rx", ProtocolError::BadNumber),
        (b":9223372036854775808\r\n", ProtocolError::BadNumber),
        (b":000000000000000000000000", ProtocolError::BadNumber),
        (b"$-2\r\n", ProtocolError::BadLength(-2)),
        (b"#x\r\n", ProtocolError::BadBoolean),
        (b",x\r\n", ProtocolError::BadDouble),
        (b"=2\r\nab\r\n", ProtocolError::BadVerbatim),
    ];
    for (wire, error) in cases {
        assert_eq!(decode(wire, &Limits::default()), Err(error), "{:?}", wire.escape_ascii());
    }
}

#[test]
fn limits_hold() {
    let limits = Limits { depth: 2, bulk: 4, elements: 4, reply: 40 };
    let refused = |wire: &[u8]| decode(wire, &limits).unwrap_err();
    assert_eq!(refused(b"$5\r\n"), ProtocolError::BulkTooLong { length: 5, limit: 4 });
    assert_eq!(refused(b"*5\r\n"), ProtocolError::TooManyElements { count: 5, limit: 4 });
    assert_eq!(refused(b"%3\r\n"), ProtocolError::TooManyElements { count: 3, limit: 4 });
    assert_eq!(refused(b"*1\r\n*1\r\n*1\r\n"), ProtocolError::TooDeep { limit: 2 });
    let long = [b"*1\r\n+".as_slice(), &[b'x'; 60], b"\r\n"].concat();
    assert_eq!(refused(&long), ProtocolError::ReplyTooLong { limit: 40 });
    let endless = vec![b'+'; (1 << 20) + 10];
    assert_eq!(refused(&endless), ProtocolError::LineTooLong);
}

#[test]
fn the_limit_is_of_one_reply_not_of_all() {
    let mut decoder = Decoder::new(Limits { reply: 20, ..Limits::default() });
    for _ in 0..100 {
        let (_, value) = decoder.decode(b"*1\r\n$4\r\nabcd\r\n").unwrap();
        assert_eq!(value, Some(Value::Array(vec![bulk("abcd")])));
    }
}

#[test]
fn announced_sizes_are_not_believed() {
    let count = Limits::default().elements;
    assert_eq!(decode(format!("*{count}\r\n").as_bytes(), &Limits::default()), Ok(None));
    let nested = "*1000\r\n".repeat(100);
    assert_eq!(decode(nested.as_bytes(), &Limits::default()), Ok(None));
    let huge = format!("*{}\r\n*{}\r\n*{}\r\n", i64::MAX, i64::MAX, i64::MAX);
    assert!(matches!(skip(huge.as_bytes()), Err(ProtocolError::TooManyElements { .. })));
    let edge = format!("${}\r\n", i64::MAX);
    assert_eq!(peek(edge.as_bytes()), Ok(None));
}

#[test]
fn accessors_fit_their_kinds() {
    assert_eq!(bulk("12").as_int(), Some(12));
    assert_eq!(Value::Integer(12).as_int(), Some(12));
    assert_eq!(bulk("x").as_int(), None);
    assert_eq!(bulk("1.5").as_double(), Some(1.5));
    assert!(Value::Simple(b"OK".to_vec()).is_ok());
    let flat = Value::Array(vec![bulk("a"), bulk("1"), bulk("b"), bulk("2")]);
    let pairs = vec![(bulk("a"), bulk("1")), (bulk("b"), bulk("2"))];
    assert_eq!(flat.clone().into_pairs().unwrap(), pairs);
    assert_eq!(Value::Map(pairs).into_array().unwrap(), flat.into_array().unwrap());
    let error = Value::Integer(1).into_bytes().unwrap_err();
    assert_eq!(error.to_string(), "expected a string, got an integer");
    assert!(Value::Array(vec![Value::Null]).into_pairs().is_err());
}
