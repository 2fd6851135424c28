//! What a server has that loads a file is what the target has after its import.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ferrite_testkit::load::Feature;
use ferrite_testkit::{Load, Peer, Server, wait_until};

use crate::{Ended, listing, load_everything, run, start};

fn import(path: &Path, target: &Peer, options: &[&str]) -> Ended {
    let path = path.to_str().unwrap();
    run(&[&["import-aof", path, "-t", &target.url()], options].concat(), Stdio::null())
}

/// A server that writes an append-only file, each command before it is answered: once a second, it
/// would keep them back while the last are on their way to the disk.
fn writer(server: Server, options: &[(&str, &str)]) -> Peer {
    let mut builder = Peer::builder(server).arg("appendonly", "yes").arg("appendfsync", "always");
    for (name, value) in options {
        builder = builder.arg(name, value);
    }
    builder.start().unwrap_or_else(|error| panic!("{error}"))
}

/// Where it writes it.
fn written(peer: &Peer) -> PathBuf {
    let dir = peer.client().ok(&["CONFIG", "GET", "dir"]);
    let dir = PathBuf::from(dir.items().get(1).map(ferrite_testkit::Reply::text).unwrap());
    match peer.server() {
        Server::Redis62 => dir.join("appendonly.aof"),
        _ => dir.join("appendonlydir"),
    }
}

fn rewrite(peer: &Peer) {
    let mut client = peer.client();
    client.ok(&["BGREWRITEAOF"]);
    wait_until("the file is rewritten", || {
        let info = client.ok(&["INFO", "persistence"]).text();
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    });
}

/// Random commands of all kinds; their effects stand in the file.
fn hammer(peer: &Peer) {
    let connector = ferrite_testkit::client::Connector::new(peer.addr());
    let mut load = Load::builder().writers(2).dbs(&[0, 3]);
    if peer.server() == Server::Redis62 {
        // It writes the time left, and counts that from when it loads the file.
        load = load.without(Feature::Restore);
    }
    let load = load.start(connector).unwrap_or_else(|error| panic!("{error}"));
    load.wait_for(4000);
    drop(load.stop());
}

/// A key that is due by now, and was counted up and kept before it was.
fn renew(peer: &Peer) {
    let mut client = peer.client();
    client.ok(&["SET", "renewed", "41"]);
    let now = client.ok(&["TIME"]).items()[0].text().parse::<u64>().unwrap();
    client.ok(&["EXPIREAT", "renewed", &(now + 1).to_string()]);
    client.ok(&["INCR", "renewed"]);
    client.ok(&["PERSIST", "renewed"]);
    client.ok(&["SET", "due", "x", "PX", "1"]);
    let mut gone = peer.client();
    wait_until("the renewed key would be due", || {
        gone.ok(&["TIME"]).items()[0].text().parse::<u64>().unwrap() > now + 1
    });
}

/// Keys may expire while one server is looked at, and not the other.
fn becomes_same(source: &Peer, target: &Peer) {
    let mut differences = Vec::new();
    wait_until("both servers have the same", || {
        let differ = listing(source).diff(&listing(target));
        let is_new = differ != differences;
        differences = differ;
        if let (Some(first), true) = (differences.first(), is_new) {
            let mut told = std::io::stderr();
            let _ = writeln!(told, "{} differences, the first: {first}", differences.len());
        }
        differences.is_empty()
    });
}

fn arrives_whole(server: Server, options: &[(&str, &str)]) {
    let mut source = writer(server, options);
    load_everything(&source);
    rewrite(&source);
    hammer(&source);
    renew(&source);
    let (path, target) = (written(&source), start(server));
    import(&path, &target, &["--dry-run"])
        .exits(0)
        .says(&["nothing was written", "Would be applied"]);
    assert_eq!(listing(&target).len(), 0);
    import(&path, &target, &[]).exits(0).says(&["Applied:", "transactions"]);
    source.restart().unwrap_or_else(|error| panic!("{error}"));
    becomes_same(&source, &target);
    assert_eq!(target.client().ok(&["GET", "renewed"]).text(), "42");

    // A target that has keys must be meant, and its own values are not mixed with the file's.
    import(&path, &target, &[]).exits(3).says(&["--on-conflict replace"]);
    target.client().ok(&["SET", "of the target", "stays"]);
    import(&path, &target, &["--on-conflict", "replace"]).exits(0);
    assert_eq!(target.client().ok(&["GET", "of the target"]).text(), "stays");
    target.client().ok(&["DEL", "of the target"]);
    becomes_same(&source, &target);
}

#[test]
fn one_file_with_a_preamble_of_redis_6_2() {
    arrives_whole(Server::Redis62, &[]);
}

#[test]
fn one_file_of_commands_of_redis_6_2() {
    arrives_whole(Server::Redis62, &[("aof-use-rdb-preamble", "no")]);
}

#[test]
fn a_directory_of_redis_7_0_with_a_base_of_commands() {
    let options = [("aof-timestamp-enabled", "yes"), ("aof-use-rdb-preamble", "no")];
    arrives_whole(Server::Redis70, &options);
}

#[test]
fn a_directory_of_redis_8_0() {
    arrives_whole(Server::Redis80, &[("aof-timestamp-enabled", "yes")]);
}

#[test]
fn a_directory_of_valkey_9_1() {
    arrives_whole(Server::Valkey91, &[]);
}

#[test]
fn an_rdb_with_commands_behind_it_is_imported_with_them() {
    let source = writer(Server::Redis62, &[]);
    let mut client = source.client();
    client.ok(&["SET", "before", "1"]);
    rewrite(&source);
    client.ok(&["SET", "after", "2"]);
    let path = written(&source);
    let path = path.to_str().unwrap();
    for verb in ["import-rdb", "import"] {
        let target = start(Server::Redis70);
        let args = [verb, path, "-t", &target.url()];
        let renamed = [&args[..], &["--transform-keys", "old:{key}"]].concat();
        run(&renamed, Stdio::null()).exits(3).says(&["append-only file", "--transform-keys"]);
        run(&args, Stdio::null()).exits(0).says(&["Applied:"]);
        assert_eq!(values(&target, &["before", "after"]), ["1", "2"]);
    }
}

fn commands(commands: &[&[&str]]) -> Vec<u8> {
    let word = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
    let text = |words: &&[&str]| {
        format!("*{}\r\n{}", words.len(), words.iter().map(word).collect::<String>())
    };
    commands.iter().map(text).collect::<String>().into_bytes()
}

/// A file of these bytes, in a folder that is deleted with the value.
fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("appendonly.aof");
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// What the target has after an import into nothing: keys with their string values.
fn values(target: &Peer, keys: &[&str]) -> Vec<String> {
    let mut client = target.client();
    keys.iter().map(|key| client.call(&["GET", key]).text()).collect()
}

#[test]
fn times_choose_a_part_of_the_file() {
    let at = |seconds: u64, key: &str| {
        let mut bytes = format!("#TS:{seconds}\r\n").into_bytes();
        bytes.extend(commands(&[&["INCR", "n"], &["SET", key, "x"]]));
        bytes
    };
    let bytes = [commands(&[&["SELECT", "0"]]), at(100, "a"), at(200, "b"), at(300, "c")].concat();
    let (_dir, path) = file(&bytes);
    let target = start(Server::Redis70);
    let before = ["--before", "1970-01-01T00:03:20Z"];
    import(&path, &target, &before).exits(0).says(&["1970-01-01T00:01:40Z"]);
    assert_eq!(values(&target, &["n", "a", "b"]), ["2", "x", "x"]);
    assert_eq!(target.client().ok(&["EXISTS", "c"]).int(), Some(0));
    // What comes after it completes it.
    import(&path, &target, &["--after", "1970-01-01T00:03:20Z"]).exits(0);
    assert_eq!(values(&target, &["n", "a", "b", "c"]), ["3", "x", "x", "x"]);

    let (_dir, path) = file(&commands(&[&["SET", "a", "x"]]));
    let options = [&before[..], &["--on-conflict", "replace"]].concat();
    import(&path, &target, &options)
        .exits(1)
        .says(&["there are none", "aof-timestamp-enabled yes"]);
}

#[test]
fn damage_is_found_before_anything_is_written() {
    let first = commands(&[&["SELECT", "0"], &["SET", "a", "1"], &["SET", "b", "2"]]);
    let last = commands(&[&["SET", "c", "3"]]);
    let mut damaged = [first.clone(), last.clone()].concat();
    let at = first.len() - 4;
    damaged[at] = b'x';
    let mut longer = damaged.clone();
    longer.truncate(first.len());
    let length = first.len() - 6;
    longer[length] = b'9';
    longer.extend_from_slice(&last);
    for bytes in [damaged, longer] {
        let (_dir, path) = file(&bytes);
        let target = start(Server::Redis70);
        import(&path, &target, &[]).exits(2).says(&["at byte", "--salvage"]);
        assert_eq!(listing(&target).len(), 0);
        import(&path, &target, &["--salvage"])
            .exits(5)
            .says(&["damage in the file", "from byte 50"]);
        assert_eq!(values(&target, &["a", "c"]), ["1", "3"]);
        assert_eq!(listing(&target).len(), 2);
    }
}

#[test]
fn an_end_in_the_middle_and_a_transaction_without_one_are_told() {
    let whole = commands(&[&["SET", "a", "1"], &["MULTI"], &["SET", "b", "2"], &["EXEC"]]);
    let open = commands(&[&["MULTI"], &["SET", "a", "9"], &["SET", "c", "9"]]);
    let bytes = [whole, open, b"*3\r\n$3\r\nSET\r\n$1\r\nd\r\n$5\r\nab".to_vec()].concat();
    let (_dir, path) = file(&bytes);
    let target = start(Server::Valkey91);
    import(&path, &target, &[])
        .exits(0)
        .says(&["was not written whole", "a transaction has no end"]);
    assert_eq!(values(&target, &["a", "b"]), ["1", "2"]);
    assert_eq!(listing(&target).len(), 2);
}

#[test]
fn filters_split_what_can_be_split_and_refuse_the_rest() {
    let bytes = commands(&[
        &["MSET", "u:1", "a", "x:1", "b", "u:2", "c"],
        &["DEL", "u:2", "x:2"],
        &["SADD", "x:3", "m"],
    ]);
    let (_dir, path) = file(&bytes);
    let target = start(Server::Redis70);
    import(&path, &target, &["-f", "u:*"]).exits(0).says(&["Filtered:"]);
    assert_eq!(listing(&target).len(), 1);
    assert_eq!(values(&target, &["u:1"]), ["a"]);

    target.client().ok(&["FLUSHALL"]);
    let (_dir, path) = file(&[bytes, commands(&[&["RENAME", "x:1", "u:9"]])].concat());
    let what = ["RENAME \"x:1\" at byte", "keys that are selected and keys that are not"];
    import(&path, &target, &["-f", "u:*"]).exits(1).says(&what);
    import(&path, &target, &["--type", "hash"]).exits(1).says(&["leave --type out"]);
    assert_eq!(listing(&target).len(), 0);
}

#[test]
fn what_cannot_be_applied_stops_with_its_place() {
    let target = start(Server::Redis70);
    let relative = commands(&[&["SET", "a", "1"], &["EXPIRE", "a", "100"]]);
    let (_dir, path) = file(&relative);
    import(&path, &target, &[]).exits(1).says(&["EXPIRE \"a\" at byte 27", "does not say when"]);
    let (_dir, path) = file(&[b"#TS:100\r\n".to_vec(), relative].concat());
    import(&path, &target, &[]).exits(0);
    assert_eq!(listing(&target).len(), 0, "its time has passed");

    let wrong = commands(&[&["SET", "a", "1"], &["LPUSH", "a", "1"]]);
    let (_dir, path) = file(&wrong);
    import(&path, &target, &[]).exits(2).says(&["LPUSH \"a\" at byte 27", "WRONGTYPE"]);

    target.client().ok(&["FLUSHALL"]);
    target.client().ok(&["SET", "a", "1"]);
    target.client().ok(&["SAVE"]);
    let dir = target.client().ok(&["CONFIG", "GET", "dir"]);
    let rdb = PathBuf::from(dir.items()[1].text()).join("dump.rdb");
    import(&rdb, &target, &[]).exits(2).says(&["it is an RDB file", "import-rdb"]);
    let (dir, path) = file(b"{\"key\":\"a\"}\n");
    import(&path, &target, &[]).exits(2).says(&["neither a command"]);
    import(dir.path(), &target, &[]).exits(2).says(&["no manifest in this directory"]);
}

#[test]
fn a_file_is_known_by_its_first_bytes() {
    let (_kept, path) = file(&commands(&[&["SELECT", "0"], &["SET", "a", "1"]]));
    let target = start(Server::Redis70);
    let import = |options: &[&str]| {
        let words = ["import", path.to_str().unwrap(), "-t", &target.url()];
        run(&[&words[..], options].concat(), Stdio::null())
    };
    import(&["--verify"]).exits(3).says(&["an append-only file"]);
    import(&[]).exits(0);
    assert_eq!(target.client().ok(&["GET", "a"]), "1");
}
