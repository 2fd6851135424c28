//! A Memcached as the source, by the commands of its guide.

use ferrite_testkit::Memcached;

use crate::command::run;
use crate::empty;

/// The page whose commands are run here.
const GUIDE: &str = include_str!("../../../../docs/guides/memcached.md");

#[test]
fn the_commands_of_the_guide_do_what_it_says() {
    let memcached = || Memcached::start(&[]).unwrap_or_else(|error| panic!("{error}"));
    let (one, two, target) = (memcached(), memcached(), empty());
    one.client().set("plain", 0, 600, b"p");
    one.client().set("packed", 16, 0, b"v");
    two.client().set("other", 0, 0, b"o");
    let commands: Vec<&str> =
        GUIDE.lines().filter_map(|line| line.strip_prefix("ferrite-migrate ")).collect();
    let run_command = |command: &str| {
        let command = command
            .replace("cache1:11211", &one.addr().to_string())
            .replace("cache2:11211", &two.addr().to_string())
            .replace("redis://new:6379", &target.url());
        run(&command.split_whitespace().collect::<Vec<_>>())
    };
    let mut client = target.client();
    let [rehearse, copy, verify, with_flags] = commands.as_slice() else { panic!("{commands:?}") };

    run_command(rehearse).exits(0).reports(&["flags of 1 value ", "16 × 1"]);
    assert_eq!(client.ok(&["DBSIZE"]).int(), Some(0));
    run_command(copy).exits(0).reports(&["Copied:           3\n", "memcached"]);
    assert_eq!(client.ok(&["GET", "packed"]), "v");
    assert!(client.ok(&["TTL", "plain"]).int().is_some_and(|left| (590..=600).contains(&left)));
    run_command(verify).exits(0);
    client.ok(&["SET", "other", "changed"]);
    run_command(verify).exits(4).reports(&["other"]);
    run_command(with_flags).exits(0).reports(&["became hashes"]);
    assert_eq!(client.ok(&["HGET", "packed", "flags"]), "16");

    // What a Memcached cannot do is refused before anything connects.
    run_command(&copy.replace("--verify", "--mode live")).exits(1).explains(&["snapshot"]);
    let off = ["migrate", "-s", &target.url(), "-t", &target.url(), "--memcached-flags", "hash"];
    run(&off).exits(1).explains(&["memcached-flags is for a source that is a Memcached"]);
    let down = two.url();
    drop(two);
    run(&["migrate", "-s", &down, "-t", &target.url()]).exits(3).explains(&["cannot reach"]);
}
