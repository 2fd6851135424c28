//! Strings: every encoding and length class, and key names of every kind.

use super::{Done, Loader, all_bytes, integers};

/// Lengths around the borders: 44/45 embedded or not, 63/64 and 16383/16384 length prefixes of RDB,
/// 20/21 compressed or not.
const LENGTHS: [usize; 10] = [1, 20, 21, 44, 45, 63, 64, 1000, 16_383, 16_384];

/// Text that looks like a number and is not stored as one.
const NOT_INTEGERS: [&str; 8] =
    ["007", "+1", " 1", "1 ", "-0", "1.5", "9223372036854775808", "-9223372036854775809"];

pub(super) fn load(loader: &mut Loader<'_>) -> Done {
    for number in integers() {
        loader.run(&["SET", &format!("string:int:{number}"), &number])?;
    }
    for (index, text) in NOT_INTEGERS.iter().enumerate() {
        loader.run(&["SET", &format!("string:not-int:{index}"), text])?;
    }
    for length in LENGTHS {
        let text = loader.random.text(length);
        loader.add("SET", &format!("string:text:{length}"), [text])?;
    }
    loader.run(&["SET", "string:empty", ""])?;
    loader.run(&["SET", "string:embstr", "short enough to be embedded"])?;
    loader.add("SET", "string:raw", [b"x".repeat(300)])?;
    loader.add("SET", "string:1kb:compressible", [b"abcd".repeat(256)])?;
    let random = loader.random.bytes(1024);
    loader.add("SET", "string:1kb:incompressible", [random])?;
    loader.add("SET", "string:1mb:compressible", [b"ferrite ".repeat(131_072)])?;
    let random = loader.random.bytes(1 << 20);
    loader.add("SET", "string:1mb:incompressible", [random])?;
    loader.add("SET", "string:all-bytes", [all_bytes()])?;
    loader.run(&["APPEND", "string:appended", "grown "])?;
    loader.run(&["APPEND", "string:appended", "in steps"])?;
    loader.run(&["INCRBYFLOAT", "string:float", "3.1415926535897931"])?;
    key_names(loader)
}

fn key_names(loader: &mut Loader<'_>) -> Done {
    let names: [&[u8]; 9] = [
        b"",
        b" ",
        b"\0",
        b"with space",
        b"line\r\nbreak",
        "ключ:鍵:🔑".as_bytes(),
        &[0xff, 0xfe, 0x00, 0x80],
        b"{tag}slot",
        b"*1\r\n$4\r\nPING\r\n",
    ];
    for name in names {
        loader.run(&[b"SET", name, b"by name"])?;
    }
    let bytes = all_bytes();
    loader.run(&[b"SET", bytes.as_slice(), b"all bytes"])?;
    for length in [63, 64, 16_383, 16_384] {
        let name = b"k".repeat(length);
        loader.run(&[b"SET", name.as_slice(), length.to_string().as_bytes()])?;
    }
    Ok(())
}
