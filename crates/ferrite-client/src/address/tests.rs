//! Addresses as people write them, and what they are told about the others.

use super::{Address, Endpoint};

fn parsed(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    text.parse::<Address>().unwrap_err().to_string()
}

#[test]
fn every_part_is_found() {
    let address = parsed("rediss://alice:p%40ss%2F%25w@db.example.org:7000/3");
    assert_eq!(address.host(), Some("db.example.org"));
    assert_eq!(address.port(), Some(7000));
    assert!(address.is_tls());
    assert_eq!(address.username(), Some("alice"));
    assert_eq!(address.password().unwrap().expose(), b"p@ss/%w");
    assert_eq!(address.database(), 3);
}

#[test]
fn parts_may_be_missing() {
    for text in ["redis://h", "redis://h:6379", "redis://h/", "h", "h:6379"] {
        assert_eq!(parsed(text), Address::tcp("h", 6379), "{text}");
    }
    let named = ["redis://h", "redis://h/0", "redis://h/7", "unix:///s?db=0"];
    let named = named.map(|text| parsed(text).named_database());
    assert_eq!(named, [None, Some(0), Some(7), Some(0)], "0 can be meant");
    let address = parsed("redis://:secret@h");
    assert_eq!((address.username(), address.password().unwrap().expose()), (None, &b"secret"[..]));
    assert_eq!(parsed("redis://bob@h").username(), Some("bob"));
    assert_eq!(parsed("redis://h?db=4").database(), 4);
    assert_eq!(parsed(" redis://h \n").host(), Some("h"));
}

#[test]
fn schemes_name_family_and_tls() {
    for family in ["redis", "valkey", "keydb", "ferrite"] {
        for tls in [false, true] {
            let text = format!("{family}{}://h:1", if tls { "s" } else { "" });
            assert_eq!(parsed(&text).is_tls(), tls);
            assert_eq!(parsed(&text).to_string(), text);
        }
    }
}

#[test]
fn unescaped_passwords_work_when_they_can() {
    let address = parsed("redis://:a@b/c?d#e@h:1/2");
    assert_eq!(address.password().unwrap().expose(), b"a@b/c?d#e");
    assert_eq!((address.host(), address.database()), (Some("h"), 2));
}

#[test]
fn ipv6_with_and_without_brackets() {
    assert_eq!(parsed("redis://[::1]:7000/1").to_string(), "redis://[::1]:7000/1");
    assert_eq!(parsed("redis://u:p@[fe80::1]"), {
        parsed("redis://u:p@h").with_endpoint(Endpoint::Tcp { host: "fe80::1".into(), port: 6379 })
    });
    assert_eq!(parsed("::1").host(), Some("::1"));
}

#[test]
fn unix_sockets() {
    let address = parsed("unix:///run/a%20b/redis.sock?db=3&user=u&password=p%26q");
    assert_eq!(address.endpoint(), &Endpoint::Unix("/run/a b/redis.sock".into()));
    assert_eq!((address.database(), address.username()), (3, Some("u")));
    assert_eq!(address.password().unwrap().expose(), b"p&q");
    assert_eq!(parsed("unix://u:p@/run/x.sock").username(), Some("u"));
    assert_eq!(parsed("unix:///run/a@/x.sock"), Address::unix("/run/a@/x.sock"));
    assert_eq!(address.to_string(), "unix:///run/a b/redis.sock?db=3");
}

#[test]
fn passwords_are_never_shown() {
    let address = parsed("redis://alice:hunter2@h:1/2");
    assert_eq!(address.to_string(), "redis://alice@h:1/2");
    assert!(!format!("{address:?}").contains("hunter2"));
    let bad = [
        "redis://alice:hunter2@h:port",
        "redis://alice:hunter2%zz@h",
        "unix:///x?password=hunter2&zz=1",
        "redis://alice:hunter2@h/x",
        "alice:hunter2@h:99999",
        "redis://h?password=hunter2@hunter2",
        "redis://a:x@hunter2?hunter2@h:x",
        "unix:///x?password=x@hunter2&zz=1",
    ];
    for text in bad {
        let error = text.parse::<Address>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    assert_eq!(
        refused("redis://h:99999"),
        "cannot read the address 'redis://h:99999': the port '99999' is not a number from 1 to \
         65535; an address looks like redis://user:password@db.example.org:6379/0"
    );
    assert!(refused("http://h").contains("'http' is none of the schemes"));
    assert!(refused("redis://").contains("the host is missing"));
    assert!(refused("").contains("the host is missing"));
    assert!(refused("redis://h/x").contains("the database 'x' is not a number"));
    assert!(refused("redis://h:0").contains("the port '0'"));
    assert!(refused("redis://[::1").contains("]"));
    assert!(refused("redis://[xyz]").contains("not an IPv6 address"));
    assert!(refused("unix://").contains("path of the socket is missing"));
    assert!(refused("redis://h?ssl=1").contains("'ssl' is none of the parameters"));
    assert!(refused("redis://a%4:@h").contains("%25"));
}

#[test]
fn sentinels_have_a_login_of_their_own() {
    let text =
        "sentinel://app:pw@s1,s2:5000,[::1]:7/my%20master/3?sentinel-user=w&sentinel-password=x%21";
    let address = parsed(text);
    assert_eq!(address.endpoint().to_string(), "s1:26379,s2:5000,[::1]:7/my master");
    assert_eq!((address.username(), address.database()), (Some("app"), 3));
    assert_eq!((address.host(), address.port()), (None, None));
    let asked = address.of_sentinel("s2", 5000);
    assert_eq!((asked.username(), asked.password().unwrap().expose()), (Some("w"), &b"x!"[..]));
    assert_eq!(address.to_string(), "sentinel://app@s1:26379,s2:5000,[::1]:7/my master/3");
    assert_eq!(parsed("sentinel://s1/m").of_sentinel("s1", 1).password(), None);
    assert!(parsed("sentinels://s1/m").is_tls());
    for (text, why) in [
        ("sentinel://s1", "the name the sentinels know"),
        ("sentinel://s1,/m", "the host is missing"),
        ("sentinel://s1/m/x", "is not a number"),
        ("sentinel://s1/m?no=1", "none of the parameters"),
    ] {
        let refused = refused(text);
        assert!(refused.contains(why) && refused.contains("/mymaster"), "{refused}");
    }
}
