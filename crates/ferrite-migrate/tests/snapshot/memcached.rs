//! A real Memcached as the source, real servers as the target.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::common::{assert_empty, run, runtime, start};
use ferrite_migrate::{
    Config, ConfigBuilder, DifferenceKind, ErrorKind, Limits, MemcachedFlags, MigrateError,
    Migration, OnConflict, Report, VerificationReport,
};
use ferrite_testkit::{Direction, Memcached, Peer, Proxy, Server};

fn memcached(options: &[&str]) -> Memcached {
    Memcached::start(options).unwrap_or_else(|error| panic!("{error}"))
}

fn from(source: &str, target: &Peer) -> ConfigBuilder {
    Config::builder().source(source).target(target.url())
}

fn verify(config: ConfigBuilder) -> VerificationReport {
    runtime().block_on(async {
        let migration = Migration::new(config.build().unwrap()).await.unwrap();
        migration.verify().await.unwrap_or_else(|error| panic!("{error}"))
    })
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn get(target: &Peer, key: &[u8]) -> Vec<u8> {
    target.client().call(&[&b"GET"[..], key]).bytes().unwrap_or_default().to_vec()
}

fn expiry(target: &Peer, key: &[u8]) -> i64 {
    target.client().call(&[&b"EXPIRETIME"[..], key]).int().unwrap()
}

/// Fails unless a value arrived as it was.
fn assert_value(target: &Peer, key: &[u8], value: &[u8]) {
    let found = get(target, key);
    let shown = key.escape_ascii();
    assert!(found == value, "{shown}: {} bytes for {}", found.len(), value.len());
}

#[test]
fn every_key_of_every_server_arrives_with_its_expiry() {
    let (one, two, target) = (memcached(&[]), memcached(&["-I", "8m"]), start(Server::Redis70));
    let mut client = one.client();
    let mut values = BTreeMap::new();
    for size in [0, 1, 2, 63, 64, 1000, 16_383, 16_384, 70_000, 500_000] {
        let value: Vec<u8> = (0..size).map(|index: usize| (index % 251) as u8).collect();
        let key = format!("size:{size}");
        client.set(&key, 0, 0, &value);
        values.insert(key.into_bytes(), value);
    }
    for key in ["percent%25", "späße", "a=b&c", &"k".repeat(250)] {
        client.set(key, 0, 0, b"x");
        values.insert(key.as_bytes().to_vec(), b"x".to_vec());
    }
    // "\x00\xff bin\r\n" in base 64: no text command can say it.
    assert_eq!(client.say("ms AP8gYmluDQo= 3 b\r\nabc"), b"HD\r\n");
    values.insert(b"\x00\xff bin\r\n".to_vec(), b"abc".to_vec());
    // decr keeps the length of a number.
    client.set("number", 0, 0, b"1000");
    client.say("decr number 995");
    values.insert(b"number".to_vec(), b"5".to_vec());
    client.set("words", 0, 0, b"5 kg ");
    values.insert(b"words".to_vec(), b"5 kg ".to_vec());
    // Larger than what is held whole with this memory limit.
    let mut other = two.client();
    let huge: Vec<u8> = (0..5_000_000).map(|index: u32| (index / 7) as u8).collect();
    let (soon, late) = (now_s() + 500, now_s() + 90 * 86_400);
    other.set("huge", 0, late, &huge);
    other.set("relative", 0, 500, b"r");
    other.set("absolute", 0, late, b"a");
    values.insert(b"huge".to_vec(), huge);
    values.insert(b"relative".to_vec(), b"r".to_vec());
    values.insert(b"absolute".to_vec(), b"a".to_vec());

    let both = format!("{},127.0.0.1:{}", one.url(), two.port());
    let config = from(&both, &target).memory_limit(32 << 20).verify(true);
    let report = run(config).unwrap_or_else(|error| panic!("{error}"));
    let compared = report.verification.as_ref().unwrap();
    assert!(compared.success, "{report:?}");
    for (key, value) in &values {
        assert_value(&target, key, value);
    }
    assert_eq!(report.keys.copied, values.len() as u64);
    assert_eq!(compared.matching, report.keys.copied);
    assert_eq!((report.strategy, report.keys.vanished), ("memcached", 0));
    assert!(
        report.warnings.iter().any(|it| it.starts_with("1 number lost")),
        "{:?}",
        report.warnings
    );
    for (key, value) in &values {
        assert_value(&target, key, value);
    }
    assert_eq!(expiry(&target, b"absolute"), late as i64);
    assert_eq!(expiry(&target, b"huge"), late as i64);
    assert!(expiry(&target, b"relative").abs_diff(soon as i64) <= 2);
    assert_eq!(expiry(&target, b"size:64"), -1);
}

#[test]
fn what_differs_is_found_whatever_it_is_in() {
    let (source, target) = (memcached(&["-I", "8m"]), start(Server::Redis70));
    let mut client = source.client();
    let late = now_s() + 90 * 86_400;
    client.set("huge", 0, 0, &vec![b'h'; 5_000_000]);
    client.set("size:0", 0, 0, b"");
    client.set("absolute", 0, late, b"a");
    client.set("equal", 0, late, b"e");
    let config = from(&source.url(), &target).memory_limit(32 << 20);
    run(config.clone()).unwrap();
    target.client().ok(&["SETRANGE", "huge", "4000000", "?"]);
    target.client().ok(&["EXPIREAT", "absolute", &(late + 10).to_string()]);
    target.client().ok(&["DEL", "size:0"]);
    client.set("new", 0, 0, b"n");
    let found = verify(config);
    let kinds: BTreeMap<String, DifferenceKind> =
        found.differences.iter().map(|it| (it.key.to_string(), it.kind)).collect();
    let expected = [
        ("absolute", DifferenceKind::Expiry),
        ("huge", DifferenceKind::Value),
        ("new", DifferenceKind::MissingTarget),
        ("size:0", DifferenceKind::MissingTarget),
    ];
    assert_eq!(kinds, expected.map(|(key, kind)| (key.to_owned(), kind)).into());
}

#[test]
fn flags_become_what_the_policy_says() {
    let source = memcached(&[]);
    let mut client = source.client();
    client.set("plain", 0, 0, b"p");
    client.set("packed", 16, 600, b"v");
    client.set("number", 2, 0, b"7");
    let copy = |flags: Option<MemcachedFlags>| {
        let target = start(Server::Redis70);
        let config = from(&source.url(), &target).verify(true);
        let report = run(flags.into_iter().fold(config, ConfigBuilder::memcached_flags)).unwrap();
        assert!(report.verification.as_ref().unwrap().success, "{report:?}");
        assert_value(&target, b"plain", b"p");
        (target, report)
    };
    let warned = |report: &Report, words: &str| {
        assert!(report.warnings.iter().any(|it| it.contains(words)), "{:?}", report.warnings);
    };
    let (target, report) = copy(None);
    assert_value(&target, b"packed", b"v");
    warned(&report, "flags of 2 values were dropped; --memcached-flags keeps them (2 × 1, 16 × 1)");

    let (target, report) = copy(Some(MemcachedFlags::Suffix));
    assert_value(&target, b"packed", b"v");
    assert_value(&target, b"packed:flags", b"16");
    assert_eq!(expiry(&target, b"packed"), expiry(&target, b"packed:flags"));
    assert!(expiry(&target, b"packed") > 0);
    assert_eq!(report.keys.copied, 5);

    let (target, report) = copy(Some(MemcachedFlags::Hash));
    let fields = target.client().ok(&["HGETALL", "packed"]);
    assert_eq!(fields.items().len(), 4);
    assert_eq!(target.client().ok(&["HGET", "packed", "value"]), "v");
    assert_eq!(target.client().ok(&["HGET", "packed", "flags"]), "16");
    assert!(expiry(&target, b"packed") > 0);
    warned(&report, "2 values with flags became hashes");

    let (target, report) = copy(Some(MemcachedFlags::Strict));
    assert_eq!(target.client().ok(&["DBSIZE"]).int(), Some(1));
    assert_eq!((report.keys.skipped, u8::from(report.exit_code())), (2, 5));
}

#[test]
fn keys_are_chosen_and_a_rehearsal_writes_nothing() {
    let (source, target) = (memcached(&[]), start(Server::Valkey91));
    let mut client = source.client();
    for key in ["user:1", "user:tmp:1", "other"] {
        client.set(key, 0, 0, key.as_bytes());
    }
    let config = from(&source.url(), &target).include_pattern("user:*").exclude_pattern("*:tmp:*");
    let report = run(config.clone().dry_run(true)).unwrap();
    assert_eq!((report.keys.copied, report.keys.filtered), (1, 2));
    assert_empty(&target);
    run(config.clone()).unwrap();
    assert_value(&target, b"user:1", b"user:1");
    assert_eq!(target.client().ok(&["DBSIZE"]).int(), Some(1));

    // A target that has keys must be meant; what is there stays or goes as was said.
    let error = run(config.clone()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Blocked, "{error}");
    client.set("user:1", 0, 0, b"changed");
    let skipped = run(config.clone().on_conflict(OnConflict::Skip)).unwrap();
    assert_eq!(skipped.keys.skipped, 1);
    assert_value(&target, b"user:1", b"user:1");
    let limits = Limits { max_source_latency_ms: Some(1000), ..Limits::default() };
    run(config.on_conflict(OnConflict::Replace).limits(limits)).unwrap();
    assert_value(&target, b"user:1", b"changed");
}

#[test]
fn a_cache_that_evicts_while_it_is_read_is_copied_as_far_as_it_stays() {
    let (source, target) = (memcached(&["-m", "4"]), start(Server::Redis70));
    let value = [b'v'; 1000];
    let mut client = source.client();
    for index in 0..3000 {
        client.set(&format!("old:{index}"), 0, 0, &value);
    }
    let is_over = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = source.client();
            let mut written = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                client.set(&format!("new:{written}"), 0, 0, &value);
                written += 1;
            }
        });
        let limits = Limits { rate: Some(2 << 20), ..Limits::default() };
        let report = run(from(&source.url(), &target).limits(limits));
        is_over.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        report.unwrap_or_else(|error| panic!("{error}"))
    });
    assert!(report.keys.copied > 0 && report.keys.vanished > 0, "{:?}", report.keys);
    let there = target.client().ok(&["DBSIZE"]).int();
    assert_eq!(there, i64::try_from(report.keys.copied).ok(), "each counted key is there");
    assert!(report.warnings.iter().any(|it| it.contains("evicted")), "{:?}", report.warnings);
}

#[test]
fn a_connection_that_breaks_is_told_and_the_run_can_be_made_again() {
    let (source, target) = (memcached(&[]), start(Server::Redis70));
    let mut client = source.client();
    for index in 0..500 {
        client.set(&format!("key:{index}"), 0, 0, &[b'v'; 2000]);
    }
    let proxy = Proxy::start(source.addr()).unwrap();
    let url = format!("memcached://{}", proxy.addr());
    proxy.cut_after(Direction::ToClient, 300_000);
    let error = run(from(&url, &target)).unwrap_err();
    assert_eq!((error.kind, u8::from(error.exit_code())), (ErrorKind::Source, 2));
    let told = error.to_string();
    assert!(told.contains("reading keys on the source") && told.contains(&url), "{told}");
    assert!(error.hint.unwrap().contains("--on-conflict replace"));
    assert!(error.keys_copied < 500);

    proxy.refuse(false);
    let again = from(&source.url(), &target).on_conflict(OnConflict::Replace).verify(true);
    let report = run(again).unwrap();
    assert_eq!(report.keys.copied, 500);
    assert!(report.verification.unwrap().success);
}

fn refused(source: &str, target: &Peer) -> MigrateError {
    run(from(source, target)).unwrap_err()
}

#[test]
fn a_source_that_is_none_or_lets_nobody_in_is_told() {
    let target = start(Server::Redis70);
    let other = start(Server::Redis70);
    let error = refused(&other.url().replace("redis://", "memcached://"), &target);
    assert_eq!(error.kind, ErrorKind::Blocked);
    assert!(error.to_string().contains("write redis:// instead of memcached://"), "{error}");
    drop(other);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users");
    std::fs::write(&file, "alice:right\n").unwrap();
    let source = memcached(&["-Y", file.to_str().unwrap()]);
    let with = |identity: &str| format!("memcached://{identity}127.0.0.1:{}", source.port());
    let error = refused(&with(""), &target).to_string();
    assert!(error.contains("it needs a password"), "{error}");
    let error = refused(&with("alice:wrong@"), &target).to_string();
    assert!(error.contains("the user or the password is wrong"), "{error}");
    assert!(!error.contains("alice:wrong"), "{error}");
    let report = run(from(&with("alice:right@"), &target).verify(true)).unwrap();
    // What says who we are is no key.
    assert_eq!(report.keys.copied, 0);

    let off = memcached(&["-o", "no_lru_crawler"]);
    let error = refused(&off.url(), &target);
    assert_eq!(error.kind, ErrorKind::Blocked);
    assert!(error.to_string().contains("crawler"), "{error}");
    assert_empty(&target);
}

#[test]
fn tls_is_spoken() {
    let (dir, target) = (tempfile::tempdir().unwrap(), start(Server::Redis70));
    let files = ferrite_testkit::TlsFiles::generate(dir.path()).unwrap();
    let options =
        format!("ssl_chain_cert={},ssl_key={}", files.cert.display(), files.key.display());
    let source = memcached(&["-Z", "-o", &options]);
    let url = format!("memcacheds://localhost:{}", source.port());
    let tls = ferrite_migrate::TlsOptions { ca: Some(files.ca), ..Default::default() };
    let report = run(from(&url, &target).source_tls(tls.clone())).unwrap();
    assert_eq!(u8::from(report.exit_code()), 0);
    let error = refused(&source.url(), &target).to_string();
    assert!(error.contains("memcacheds://"), "{error}");
    let refused = from(&source.url(), &target).source_tls(tls).build().unwrap_err();
    assert!(refused.to_string().contains("without TLS"), "{refused}");
}
