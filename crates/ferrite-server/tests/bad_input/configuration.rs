//! CONFIG SET with nonsense for every parameter.

use ferrite_testkit::Reply;

use crate::{connect, lives, server};

/// Parameters that say where the server listens: most of these values are taken, and then nobody
/// finds it.
const LISTENING: [&[u8]; 2] = [b"port", b"bind"];

#[test]
fn nonsense_for_every_parameter_is_refused_or_taken_back() {
    let server = server();
    let mut client = connect(&server);
    let long = "x".repeat(10_000);
    let values: [&[u8]; 12] = [
        b"",
        b"abc",
        b"-1",
        b"0",
        b"99999999999999999999",
        b"1e9",
        b"1.5gb",
        b"\x00\xff\r\n",
        b"yes no",
        b"2147483648",
        long.as_bytes(),
        b"\"",
    ];
    let all = client.ok(&["CONFIG", "GET", "*"]);
    let pairs: Vec<(Vec<u8>, Vec<u8>)> = all
        .items()
        .chunks(2)
        .map(|pair| (pair[0].bytes().unwrap().to_vec(), pair[1].bytes().unwrap().to_vec()))
        .collect();
    assert!(pairs.len() > 150, "{} parameters", pairs.len());
    let mut refused = 0;
    let others = pairs.iter().filter(|(name, _)| !LISTENING.contains(&name.as_slice()));
    for (name, before) in others {
        for value in values {
            let words: [&[u8]; 4] = [b"CONFIG", b"SET", name, value];
            let name = String::from_utf8_lossy(name);
            match client.call(&words) {
                Reply::Error(text) => {
                    refused += 1;
                    assert!(text.starts_with("ERR "), "{name} {value:?}: {text}");
                }
                reply => {
                    assert_eq!(reply, "OK", "{name}");
                    client.ok(&[b"CONFIG".as_slice(), b"GET", name.as_bytes()]);
                }
            }
        }
        let words: [&[u8]; 4] = [b"CONFIG", b"SET", name, before];
        client.call(&words);
    }
    assert!(refused > pairs.len() * 3, "{refused} refused");
    for nonsense in [
        &["CONFIG", "SET"][..],
        &["CONFIG", "SET", "maxmemory"],
        &["CONFIG", "SET", "maxmemory", "1mb", "nosuch", "1"],
        &["CONFIG", "SET", "maxmemory", "1mb", "maxmemory", "2mb"],
        &["CONFIG", "SET", "nosuch*", "1"],
        &["CONFIG", "GET"],
        &["CONFIG", "NOSUCH"],
        &["CONFIG"],
    ] {
        assert!(client.call(nonsense).is_error(), "{nonsense:?}");
    }
    assert_eq!(client.ok(&["CONFIG", "GET", "maxmemory"]).items()[1], "0", "all or nothing");
    lives(&server);
}
