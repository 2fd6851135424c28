//! Any bytes as lines of Memcached's answers: what is read of a key is what was written of it.

#![no_main]

use std::fmt::Write as _;

use ferrite_client::memcached::{dumped_key, value_header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(named) = dumped_key(data) {
        assert!(!named.key.is_empty() && named.key.len() <= data.len());
    }
    let _ = value_header(data);

    // Any key, written as Memcached does.
    if data.is_empty() {
        return;
    }
    let mut line = String::from("key=");
    for byte in data {
        let _ = write!(line, "%{byte:02X}");
    }
    line.push_str(" exp=17 la=1 cas=5 fetch=no cls=1 size=9\n");
    let named = dumped_key(line.as_bytes()).unwrap();
    assert_eq!((named.key.as_slice(), named.expires_at_s, named.cas), (data, Some(17), 5));
});
