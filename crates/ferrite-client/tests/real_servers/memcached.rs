//! A real Memcached, also asked as one before 1.6 has to be.

use std::collections::BTreeMap;

use ferrite_client::Connector;
use ferrite_client::memcached::{Abilities, Answer, Memcached, addresses};
use ferrite_testkit::Memcached as Peer;

/// Values above this are large ones here.
const LIMIT: usize = 1000;

async fn connect(peer: &Peer) -> Memcached {
    let addresses = addresses(&peer.url()).unwrap_or_else(|error| panic!("{error}"));
    let address = addresses.into_iter().next().unwrap_or_else(|| panic!("no address"));
    Memcached::connect(&Connector::new(address)).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The value of the next answer, with its flags; `None` for a key that is not there.
async fn take(memcached: &mut Memcached) -> Option<(Vec<u8>, u32)> {
    match memcached.answer(LIMIT).await.unwrap_or_else(|error| panic!("{error}")) {
        Answer::Missing => None,
        Answer::Small(header) => {
            let value = memcached.value().to_vec();
            assert_eq!(value.len(), header.size);
            memcached.taken();
            Some((value, header.flags))
        }
        Answer::Large(header) => {
            let mut value = Vec::new();
            let mut more = true;
            while more {
                let piece = memcached.piece(|piece| value.extend_from_slice(piece)).await;
                more = piece.unwrap_or_else(|error| panic!("{error}"));
            }
            assert_eq!(value.len(), header.size);
            Some((value, header.flags))
        }
    }
}

#[tokio::test]
async fn values_are_read_in_both_ways() {
    let peer = Peer::start(&[]).unwrap_or_else(|error| panic!("{error}"));
    let mut client = peer.client();
    let mut values = BTreeMap::new();
    for size in [0, 1, LIMIT, LIMIT + 1, 64 << 10, (64 << 10) + 1, 700_000] {
        let value: Vec<u8> = (0..size).map(|index: usize| (index % 253) as u8).collect();
        client.set(&format!("size:{size}"), 7, 0, &value);
        values.insert(format!("size:{size}").into_bytes(), value);
    }
    let memcached = connect(&peer).await;
    let all = Abilities { meta: true, binary_keys: true, leaves_order: true };
    assert_eq!(memcached.abilities(), all);
    assert!(memcached.version().starts_with("1.6."));
    let old = Abilities { meta: false, binary_keys: false, leaves_order: false };
    for abilities in [all, old] {
        let mut memcached = connect(&peer).await.with_abilities(abilities);
        assert_eq!(memcached.can_ask(b"with space"), abilities.binary_keys);
        let keys: Vec<&[u8]> = values.keys().map(Vec::as_slice).chain([&b"none"[..]]).collect();
        assert_eq!(memcached.ask(keys.iter().copied()).await.unwrap(), keys.len());
        assert!(memcached.ask(keys.iter().copied()).await.is_err(), "answers are still to come");
        for key in &keys {
            let expected = values.get(*key).map(|value| (value.clone(), 7));
            assert!(take(&mut memcached).await == expected, "{}", key.escape_ascii());
        }
        assert_eq!(memcached.stats("").await.unwrap().items(), values.len() as u64);
    }
    // A list of keys, while which nothing was used more recently.
    let mut dump = connect(&peer).await.dump().await.unwrap();
    let mut named = BTreeMap::new();
    while let Some(key) = dump.next().await.unwrap() {
        named.insert(key.key, key.cas);
    }
    assert!(dump.is_complete() && named.keys().eq(values.keys()));
}
