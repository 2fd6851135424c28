//! Tests of access control; `tests/acl_servers.rs` compares it with running servers.

use ferrite_commands::lookup;

use super::*;

fn acl() -> Acl {
    Acl::new(Commands::new(|command| command.since.redis.is_some()))
}

fn check(acl: &Acl, user: &str, words: &[&str]) -> Result<(), Denied> {
    let command = ferrite_commands::resolve(words).unwrap();
    let id = acl.commands().id(command).unwrap();
    acl.account(user.as_bytes()).unwrap().check(command, id, words)
}

fn set(acl: &Acl, user: &str, rules: &str) {
    let rules: Vec<&str> = rules.split(' ').collect();
    acl.set_user(user.as_bytes(), &rules, false)
        .unwrap_or_else(|why| panic!("{}", String::from_utf8_lossy(&why)));
}

#[test]
fn the_default_user_may_do_everything() {
    let acl = acl();
    assert_eq!(check(&acl, "default", &["flushall"]), Ok(()));
    assert!(acl.authenticate(b"default", b"anything").is_some());
    assert_eq!(acl.users()[0].describe(), b"default on nopass sanitize-payload ~* &* +@all");
    assert!(!acl.delete_user(DEFAULT));
    acl.require_password(b"secret");
    assert!(acl.authenticate(b"default", b"wrong").is_none());
    assert!(acl.authenticate(b"default", b"secret").is_some());
    acl.require_password(b"");
    assert!(acl.authenticate(b"default", b"wrong").is_some());
}

#[test]
fn a_change_of_rules_is_in_effect_for_accounts_that_are_held() {
    let acl = acl();
    set(&acl, "a", "on nopass ~* &* +@all");
    let held = acl.account(b"a").unwrap();
    let get = lookup(b"get").unwrap();
    let id = acl.commands().id(get).unwrap();
    assert_eq!(held.check(get, id, &["get", "k"]), Ok(()));
    set(&acl, "a", "-get");
    assert_eq!(held.check(get, id, &["get", "k"]).unwrap_err().by, DeniedBy::Command);
    assert!(acl.delete_user(b"a") && held.is_gone());
}

#[test]
fn a_rule_that_is_refused_changes_nothing() {
    let acl = acl();
    set(&acl, "a", "on +get ~x");
    let before = acl.users()[0].describe();
    let error = acl.set_user(b"a", &["+set", "~y", "+nosuch"], false).unwrap_err();
    assert!(String::from_utf8(error).unwrap().contains("modifier '+nosuch': Unknown command"));
    assert_eq!(acl.users()[0].describe(), before);
}

#[test]
fn keys_are_for_reading_or_for_writing() {
    let acl = acl();
    set(&acl, "a", "on +@all %R~r* %W~w* ~b*");
    let by = |words: &[&str]| check(&acl, "a", words).map_err(|denied| (denied.by, denied.word));
    let key = |word| Err((DeniedBy::Key, word));
    assert_eq!(by(&["get", "r1"]), Ok(()));
    assert_eq!(by(&["get", "w1"]), key(1));
    assert_eq!(by(&["set", "w1", "v"]), Ok(()));
    assert_eq!(by(&["set", "w1", "v", "get"]), key(1), "the old value would be read");
    assert_eq!(by(&["set", "r1", "v"]), key(1));
    assert_eq!(by(&["copy", "r1", "w1"]), Ok(()));
    assert_eq!(by(&["copy", "w1", "r1"]), key(1));
    assert_eq!(by(&["exists", "w1", "r1", "x"]), key(3), "EXISTS needs neither, but a pattern");
    assert_eq!(by(&["mset", "b1", "1", "x", "2"]), key(3));
    assert_eq!(by(&["bitfield", "r1", "get", "u8", "0"]), Ok(()));
    assert_eq!(by(&["eval", "return 1", "1", "r1"]), key(3));
    assert_eq!(by(&["eval", "return 1", "x", "r1"]), Ok(()), "EVAL itself refuses this");
    assert_eq!(by(&["ping"]), Ok(()));
}

#[test]
fn one_selector_must_allow_all_of_it() {
    let acl = acl();
    set(&acl, "a", "on +get ~a (+set ~b) (+@all -set &news.* ~c)");
    let by = |words: &[&str]| check(&acl, "a", words).map_err(|denied| denied.by);
    assert_eq!(by(&["get", "a"]), Ok(()));
    assert_eq!(by(&["set", "b", "v"]), Ok(()));
    assert_eq!(by(&["set", "a", "v"]), Err(DeniedBy::Key));
    assert_eq!(by(&["publish", "news.x", "m"]), Ok(()));
    assert_eq!(by(&["publish", "other", "m"]), Err(DeniedBy::Channel));
    assert_eq!(by(&["psubscribe", "news.*"]), Ok(()));
    assert_eq!(by(&["psubscribe", "news.a*"]), Err(DeniedBy::Channel), "patterns word for word");
    assert_eq!(by(&["auth", "x"]), Ok(()), "logging in is always possible");
    set(&acl, "a", "clearselectors");
    assert_eq!(by(&["set", "b", "v"]), Err(DeniedBy::Command));
}

#[test]
fn sort_with_patterns_needs_all_keys() {
    let acl = acl();
    let sort = lookup(b"sort").unwrap();
    let id = acl.commands().id(sort).unwrap();
    let words = ["sort", "k", "by", "w_*"];
    for (rules, may) in [("~k", false), ("~k %R~*", true), ("%W~* ~k", false), ("allkeys", true)] {
        set(&acl, "s", &format!("reset +sort {rules}"));
        let user = acl.account(b"s").unwrap();
        assert_eq!(user.user().may_read_every_key(sort, id, &words), may, "{rules}");
    }
}

#[test]
fn first_arguments_can_be_allowed_alone() {
    let acl = acl();
    set(&acl, "a", "on +select|0 +config|get ~*");
    assert_eq!(check(&acl, "a", &["select", "0"]), Ok(()));
    assert!(check(&acl, "a", &["select", "1"]).is_err());
    assert_eq!(check(&acl, "a", &["config", "get", "x"]), Ok(()));
    assert!(check(&acl, "a", &["config", "set", "x", "y"]).is_err());
}

#[test]
fn files_are_loaded_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    let acl = acl();
    set(&acl, "alice", "on >pw ~a +get (+set ~b)");
    set(&acl, "bob", "off");
    acl.save(&path).unwrap();
    let before: Vec<Vec<u8>> = acl.users().iter().map(|user| user.describe()).collect();
    set(&acl, "carol", "on");
    let carol = acl.account(b"carol").unwrap();
    acl.load(&path, false).unwrap();
    let after: Vec<Vec<u8>> = acl.users().iter().map(|user| user.describe()).collect();
    assert_eq!(before, after);
    assert!(carol.is_gone());

    let errors = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let error = acl.load(&path, false).unwrap_err().to_string();
        error.replace(&path.display().to_string(), "F")
    };
    let end = "WARNING: ACL errors detected, no change to the previously active ACL rules was \
               performed";
    let start = "F:1 should start with user keyword followed by the username. ";
    assert_eq!(errors("foo bar"), format!("{start}{end}"));
    assert_eq!(errors("user"), format!("{start}{end}"));
    assert_eq!(
        errors("user a on +nosuch\nuser b (x"),
        format!(
            "F:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. \
             F:2: Unmatched parenthesis in selector definition.{end}"
        )
    );
    assert_eq!(
        errors("user a on\nuser a on"),
        format!("WARNING: Duplicate user 'a' found on line 2. {end}")
    );
    let after: Vec<Vec<u8>> = acl.users().iter().map(|user| user.describe()).collect();
    assert_eq!(before, after, "nothing of a file with errors is taken");
}

#[test]
fn users_of_a_configuration_file_are_taken() {
    let acl = acl();
    let words = |text: &str| crate::config::words::split(text.as_bytes()).unwrap();
    acl.configure(&[words("a on >x +get ~*"), words("default off")], false).unwrap();
    assert!(acl.authenticate(b"a", b"x").is_some());
    assert!(acl.authenticate(b"default", b"").is_none());
    let error = |text: &str| acl.configure(&[words(text)], false).unwrap_err().to_string();
    assert_eq!(
        error("b on +nosuch"),
        "Error loading ACL rule '+nosuch' for the user named 'b': Unknown command or category \
         name in ACL"
    );
    let twice = acl.configure(&[words("c on"), words("c on")], false).unwrap_err();
    assert!(twice.to_string().contains("'c': Duplicate user found"));
}

fn refusal(object: &str, at: i64) -> Entry {
    Entry {
        id: 0,
        count: 0,
        reason: Reason::Key,
        context: Context::TopLevel,
        object: object.into(),
        user: b"a".to_vec(),
        client: at.to_string().into_bytes(),
        created: at,
        updated: at,
    }
}

#[test]
fn equal_refusals_are_one_entry_for_a_minute() {
    let mut log = Log::default();
    log.add(refusal("k", 1000), 128);
    log.add(refusal("other", 2000), 128);
    log.add(refusal("k", 3000), 128);
    let entries: Vec<_> = log.entries().map(|it| (it.id, it.count, it.object.clone())).collect();
    assert_eq!(entries, [(0, 2, b"k".to_vec()), (1, 1, b"other".to_vec())]);
    let first = log.entries().next().unwrap();
    assert_eq!((first.created, first.updated, first.client.as_slice()), (1000, 3000, &b"3000"[..]));
    log.add(refusal("k", 63_001), 128);
    assert_eq!(log.entries().count(), 3);
    log.add(refusal("new", 63_002), 2);
    assert_eq!(log.entries().count(), 2);
    log.reset();
    assert_eq!(log.entries().count(), 0);
}

#[test]
fn generated_passwords_have_the_length_asked_for() {
    assert_eq!(generate(256).unwrap().unwrap().len(), 64);
    assert_eq!(generate(5).unwrap().unwrap().len(), 2);
    assert!(generate(0).is_none() && generate(4097).is_none());
    assert_ne!(generate(128).unwrap().unwrap(), generate(128).unwrap().unwrap());
}
