//! Lines as servers write them, and a list whose end is missing.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::*;
use crate::stream::Stream;

#[test]
fn lines_of_several_versions_are_read() {
    let named = dumped_key(b"key=%00%FF%20b exp=1795213203 la=1 cas=6 fetch=no cls=1 size=74\r\n");
    let key = b"\x00\xff b".to_vec();
    assert_eq!(named, Some(DumpedKey { key, expires_at_s: Some(1795213203), cas: 6, size: 74 }));
    // 1.4.31 tells neither the unique number nor the class; later versions may tell more.
    let named = dumped_key(b"key=a exp=-1 la=5 flags=7 what\n").unwrap();
    assert_eq!((named.key.as_slice(), named.expires_at_s, named.cas), (&b"a"[..], None, 0));
    for damaged in ["", "key=", "key=%4", "key=%zz exp=1", "key=a exp=x", "END", "key=a cas=-1"] {
        assert_eq!(dumped_key(damaged.as_bytes()), None, "{damaged}");
    }
    let header = ValueHeader { size: 3, flags: 77, cas: 6, expires_in_s: Some(Some(500)) };
    assert_eq!(value_header(b"VA 3 f77 t500 c6\r\n"), Some(header));
    assert_eq!(value_header(b"VA 3 t-1\r\n").unwrap().expires_in_s, Some(None));
    let header = ValueHeader { size: 9, flags: 5, cas: 8, expires_in_s: None };
    assert_eq!(value_header(b"VALUE a 5 9 8\r\n"), Some(header));
    assert_eq!(value_header(b"VALUE a 5 9\r\n"), Some(ValueHeader { cas: 0, ..header }));
    for damaged in
        ["VA", "VA x", "VA -1", "VA 1 f4294967296", "VALUE a 5", "VA 99999999999999999999"]
    {
        assert_eq!(value_header(damaged.as_bytes()), None, "{damaged}");
    }
}

#[test]
fn addresses_name_servers() {
    let shown = |text: &str| -> Vec<String> {
        addresses(text).unwrap().iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        shown("memcached://a,b:11212,[::1]:5"),
        ["memcached://a:11211", "memcached://b:11212", "memcached://[::1]:5"]
    );
    assert_eq!(shown("memcacheds://u:p@h/"), ["memcacheds://u@h:11211"]);
    for (text, reason) in [
        ("memcached://h/1", "no databases"),
        ("memcached://a,,b", "host is missing"),
        ("memcached://:secret@h", "a user and a password"),
        ("redis://h", "neither memcached nor memcacheds"),
    ] {
        let error = addresses(text).unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains("secret"), "{error}");
    }
}

/// A server lists for one at a time. Some versions end a list without `END`: the server is asked
/// whether it is over.
#[tokio::test]
async fn a_list_is_waited_for_and_ends_without_its_end() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let stream = Stream::Unix(tokio::net::UnixStream::from_std(ours).unwrap());
    let memcached = greeting::open(stream, String::from("test"));
    let server = std::thread::spawn(move || {
        let mut command = [0; 100];
        for _ in 0..2 {
            let count = theirs.read(&mut command).unwrap();
            assert_eq!(&command[..count], b"lru_crawler metadump hash\r\n");
            theirs.write_all(b"BUSY currently processing crawler request\r\n").unwrap();
        }
        let count = theirs.read(&mut command).unwrap();
        assert_eq!(&command[..count], b"lru_crawler metadump hash\r\n");
        theirs.write_all(b"OK\r\nkey=a exp=-1\nkey=b ex").unwrap();
        theirs.write_all(b"p=-1\n").unwrap();
        let count = theirs.read(&mut command).unwrap();
        assert_eq!(&command[..count], b"version\r\n");
        // What the crawler takes off the socket while it lists does not come back.
        theirs.write_all(b"ERROR\r\n").unwrap();
        // Held open until the reader has gone.
        while theirs.read(&mut command).is_ok_and(|count| count > 0) {}
    });
    let mut dump = memcached.dump_asking_after(Duration::from_millis(20)).await.unwrap();
    let mut keys = Vec::new();
    while let Some(named) = dump.next().await.unwrap() {
        keys.push(named.key);
    }
    assert_eq!(keys, [b"a", b"b"]);
    drop(dump);
    server.join().unwrap();
}
