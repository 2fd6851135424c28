//! Tests of the configuration as a whole: loading, asking, changing, writing back.

use std::cell::RefCell;
use std::path::Path;

use super::*;

fn load_text(name: &str, text: &str, options: &[&str]) -> Result<Start, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    load_in(folder.path(), name, options)
}

fn load_in(folder: &Path, name: &str, options: &[&str]) -> Result<Start, LoadError> {
    let options = options.iter().map(|option| option.as_bytes().to_vec()).collect();
    let folder = folder.canonicalize().unwrap();
    Load { file: Some(name.into()), input: Vec::new(), options, folder }.load()
}

fn get(config: &Config, name: &str) -> String {
    let found = config.matching(&[name]);
    assert_eq!(found.len(), 1, "{name}");
    String::from_utf8(found[0].1.clone()).unwrap()
}

fn error(result: Result<Start, LoadError>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn every_default_is_a_value_that_is_taken() {
    let folder = std::env::temp_dir();
    let config = Config::new(&folder);
    for setting in config.settings() {
        let spec = setting.spec();
        if spec.name == "dir" {
            continue;
        }
        let default = setting.default_value();
        let default = default.unwrap_or_else(|why| panic!("{}: {why}", spec.name));
        assert_eq!(setting.describe(&default), setting.text(), "{}", spec.name);
        let words = match spec.takes_words() {
            true => words::split(spec.default.as_bytes()).unwrap(),
            false => vec![spec.default.as_bytes().to_vec()],
        };
        setting.check(&words, Origin::Live).unwrap_or_else(|why| panic!("{}: {why}", spec.name));
        assert!(spec.doc.len() > 5 && spec.doc.trim_end().ends_with('.'), "{}", spec.name);
    }
}

#[test]
fn names_aliases_and_places_are_unique() {
    let config = Config::new(Path::new("/"));
    let mut names: Vec<String> = Vec::new();
    for setting in config.settings() {
        let spec = setting.spec();
        names.extend([spec.name.to_owned(), spec.path()]);
        names.extend((!spec.alias.is_empty()).then(|| spec.alias.to_owned()));
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn what_comes_last_counts_and_lines_of_save_add_up() {
    let text = "# a comment\nport 7000\nsave 900 1\nsave 300 10\nrequirepass \"a b\"\n\
                client-output-buffer-limit replica 1mb 0 0\nslave-priority 5";
    let start = load_text("redis.conf", text, &["--port", "7001", "--maxmemory", "1gb"]).unwrap();
    assert_eq!(start.config.network.port.get(), 7001);
    assert_eq!(start.config.memory.maxmemory.get(), 1 << 30);
    assert_eq!(get(&start.config, "save"), "900 1 300 10");
    assert_eq!(get(&start.config, "requirepass"), "a b");
    assert_eq!(get(&start.config, "replica-priority"), "5");
    assert_eq!(start.config.clients.client_output_buffer_limit.get().replica.hard, 1 << 20);
}

#[test]
fn standard_input_stands_between_the_file_and_the_options() {
    let folder = tempfile::tempdir().unwrap();
    let load = Load {
        input: b"port 1\ntimeout 7".to_vec(),
        options: vec![b"--port".to_vec(), b"2".to_vec()],
        folder: folder.path().to_path_buf(),
        file: None,
    };
    let start = load.load().unwrap();
    assert_eq!((start.config.network.port.get(), start.config.network.timeout.get()), (2, 7));
}

#[test]
fn errors_name_the_line_as_redis_does() {
    let wrong = |text: &str| error(load_text("redis.conf", text, &[]));
    assert_eq!(
        wrong("# one\nport abc\n"),
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.5) ***\nReading the configuration file, at line \
         2\n>>> 'port abc'\nargument couldn't be parsed into an integer"
    );
    for (text, why) in [
        ("nosuch 1", "Bad directive or wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("port", "wrong number of arguments"),
        ("requirepass \"a", "Unbalanced quotes in configuration line"),
        ("save 1", "Invalid save parameters"),
        ("shutdown-on-sigint", "argument(s) must be one of the following"),
        ("appendonly yes", "this version has no append-only file; this version takes only 'no'"),
        ("cluster-enabled yes", "this version forms no clusters"),
        ("replicaof 127.0.0.1 6379", "this version follows no primary"),
        ("tls-key-file-pass secret", "openssl pkey"),
        ("loadmodule /x.so", "Ferrite cannot load modules"),
        ("rename-command NOSUCH x", "No such command in rename-command"),
        ("rename-command config|get x", "No such command in rename-command"),
        ("rename-command GET set", "Target command name already exists"),
        ("sentinel monitor a", "not in sentinel mode"),
        ("dbfilename a/b", "just a filename"),
        ("dir /no/such/folder", "No such file or directory"),
    ] {
        assert!(wrong(text).contains(why), "{text}: {}", wrong(text));
    }
    assert!(error(load_text("a.conf", "", &["--port", "x"])).contains("at line 1\n"));
    let missing = error(load_in(Path::new("/"), "no-such.conf", &[]));
    assert!(missing.contains("'/no-such.conf': No such file or directory"), "{missing}");
}

#[test]
fn what_is_off_here_may_be_said_to_be_off() {
    let text = "appendonly no\ncluster-enabled no\nreplicaof no one\ntls-port 0\n\
                lua-replicate-commands yes\n";
    let start = load_text("redis.conf", text, &[]).unwrap();
    assert_eq!(get(&start.config, "replicaof"), "");
}

#[test]
fn files_are_included_by_pattern_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("d")).unwrap();
    write("d/2.conf", "port 2\nuser bob on >pw");
    write("d/1.conf", "port 1\ntimeout 9");
    write("d/.hidden.conf", "port 3");
    write("main.conf", "include d/*.conf\ninclude none-*.conf\nuser alice off");
    let start = load_in(folder.path(), "main.conf", &[]).unwrap();
    assert_eq!((start.config.network.port.get(), start.config.network.timeout.get()), (2, 9));
    assert_eq!(start.users.len(), 2);
    assert_eq!(start.users[0][0], b"bob");

    write("loop.conf", "include loop.conf");
    assert!(error(load_in(folder.path(), "loop.conf", &[])).contains("include each other"));
    write("missing.conf", "include d/3.conf");
    assert!(error(load_in(folder.path(), "missing.conf", &[])).contains("d/3.conf"));
}

#[test]
fn toml_has_the_same_parameters() {
    let text = r#"
[network]
bind = ["0.0.0.0", "-::1"]
port = 7002
protected_mode = false
[memory]
maxmemory = "2gb"
maxmemory_policy = "allkeys-lru"
[persistence.rdb]
save = ["3600 1", "60 1000"]
[persistence.aof]
enabled = false
fsync = "everysec"
[security]
requirepass = "a secret"
users = ["alice on >pw ~* +@all"]
[clients]
client_output_buffer_limit = ["pubsub 1mb 0 0"]
"#;
    let start = load_text("ferrite.toml", text, &["--timeout", "3"]).unwrap();
    let config = &start.config;
    assert_eq!(get(config, "bind"), "0.0.0.0 -::1");
    assert_eq!(config.network.port.get(), 7002);
    assert!(!config.network.protected_mode.get());
    assert_eq!(config.memory.maxmemory_policy.get(), choices::EvictionPolicy::AllKeysLru);
    assert_eq!(get(config, "save"), "3600 1 60 1000");
    assert_eq!(get(config, "requirepass"), "a secret");
    assert_eq!(start.users, [["alice", "on", ">pw", "~*", "+@all"].map(|w| w.as_bytes().to_vec())]);
    assert_eq!(config.clients.client_output_buffer_limit.get().pubsub.hard, 1 << 20);
    assert_eq!(config.network.timeout.get(), 3, "options come after the file");
}

#[test]
fn errors_in_toml_name_the_line() {
    let wrong = |text: &str| error(load_text("ferrite.toml", text, &[]));
    let unknown = wrong("[network]\nport = 1\nmaxmemory = 5\n");
    assert!(unknown.contains("at line 3\n>>> 'maxmemory = 5'"), "{unknown}");
    assert!(unknown.ends_with("no such key; it is memory.maxmemory"), "{unknown}");
    assert!(wrong("[persistence.aof]\nenabled = true").contains("no append-only file"));
    assert!(wrong("[network]\nport = [1]").contains("single value"));
    assert!(wrong("[network\nport = 1").contains("at line 1"));
    assert!(wrong("[a]\nb = 1").contains("ferrite init"));
}

#[test]
fn patterns_find_names_and_aliases() {
    let config = Config::new(Path::new("/"));
    let names = |patterns: &[&str]| -> Vec<&str> {
        config.matching(patterns).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(&["MAXMEM*", "maxmemory"]).len(), 5);
    assert_eq!(names(&["lua-time-limit"]), ["lua-time-limit"]);
    assert_eq!(names(&["repl*-of", "slaveof", "replicaof"]), ["replicaof", "slaveof"]);
    assert!(!names(&["*"]).contains(&"key-load-delay"));
    assert_eq!(names(&["key-load-delay"]), ["key-load-delay"]);
}

#[test]
fn several_are_set_at_once_or_none() {
    let config = Config::new(Path::new("/"));
    config.set(&["maxmemory", "1mb", "timeout", "5"], false, &()).unwrap();
    assert_eq!((config.memory.maxmemory.get(), config.network.timeout.get()), (1 << 20, 5));
    let refused = |words: &[&str]| config.set(words, false, &()).unwrap_err().to_string();
    let error = refused(&["maxmemory", "2mb", "timeout", "x"]);
    assert!(error.contains("argument 'timeout') - argument couldn't be parsed"), "{error}");
    assert_eq!(config.memory.maxmemory.get(), 1 << 20, "nothing was set");
    assert_eq!(
        refused(&["foo", "bar"]),
        "Unknown option or number of arguments for CONFIG SET - 'foo'"
    );
    assert_eq!(refused(&["timeout"]), "syntax error");
    assert!(refused(&["timeout", "1", "Timeout", "2"]).ends_with("duplicate parameter"));
    assert!(refused(&["databases", "3"]).ends_with("can't set immutable config"));
    assert!(refused(&["dir", "/"]).ends_with("can't set protected config"));
    assert!(refused(&["appendonly", "yes"]).contains("this version has no append-only file"));
}

#[test]
fn protected_parameters_change_where_that_is_allowed() {
    let config = Config::new(Path::new("/"));
    config.put("enable-protected-configs", &["local"]).unwrap();
    assert!(config.set(&["dbfilename", "a.rdb"], false, &()).is_err());
    config.set(&["dbfilename", "a.rdb", "dir", "/tmp"], true, &()).unwrap();
    assert_eq!(config.folder(), Path::new("/tmp"));
}

#[test]
fn values_go_back_when_they_cannot_be_applied() {
    struct Refuse(RefCell<Vec<u16>>);
    impl Apply for Refuse {
        fn apply(&self, config: &Config, _: &[&'static Spec]) -> Result<(), (String, String)> {
            let port = config.network.port.get();
            self.0.borrow_mut().push(port);
            let why = "Unable to listen on this port. Check server logs.".to_owned();
            if port == 1 { Err(("port".to_owned(), why)) } else { Ok(()) }
        }
    }
    let config = Config::new(Path::new("/"));
    let apply = Refuse(RefCell::default());
    let error = config.set(&["timeout", "9", "PORT", "1"], false, &apply).unwrap_err();
    assert!(error.to_string().contains("argument 'PORT') - Unable to listen"), "{error}");
    assert_eq!(config.network.timeout.get(), 0);
    assert_eq!(*apply.0.borrow(), [1, 6379], "asked again with the values before");
}

#[test]
fn rewriting_keeps_comments_and_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("redis.conf");
    let text = "# first\n\nport 7000\n\n\n\nsave 900 1\nsave 300 10\n# last\nslave-priority 7\n\
                user old on\nuser older on\n";
    std::fs::write(&path, text).unwrap();
    let start = load_in(folder.path(), "redis.conf", &[]).unwrap();
    start.config.set(&["save", "60 5", "maxmemory", "100mb", "timeout", "0"], false, &()).unwrap();
    start.config.set(&["requirepass", "a \"b\""], false, &()).unwrap();
    start.config.rewrite(&[b"alice on nopass".to_vec()]).unwrap();
    let written = std::fs::read_to_string(&path).unwrap();
    let folder = folder.path().canonicalize().unwrap();
    assert_eq!(
        written,
        format!(
            "# first\n\nport 7000\n\nsave 60 5\n\n# last\nreplica-priority 7\nuser alice on \
             nopass\n\n# Generated by CONFIG REWRITE\ndir \"{}\"\nrequirepass \"a \\\"b\\\"\"\n\
             maxmemory 100mb\n",
            folder.display()
        )
    );
    let again = load_in(&folder, "redis.conf", &[]).unwrap();
    for setting in start.config.settings() {
        let name = setting.spec().name;
        assert_eq!(get(&again.config, name), String::from_utf8(setting.text()).unwrap(), "{name}");
    }
    again.config.rewrite(&[b"alice on nopass".to_vec()]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written, "a second time changes nothing");
}

#[test]
fn what_takes_several_lines_is_rewritten_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("redis.conf");
    std::fs::write(&path, "save\nport 7000\n").unwrap();
    let start = load_in(folder.path(), "redis.conf", &[]).unwrap();
    assert_eq!(get(&start.config, "save"), "", "a line without words is none");
    let default = "3600 1 300 100 60 10000";
    start.config.set(&["save", default], false, &()).unwrap();
    start.config.rewrite(&[]).unwrap();
    let again = load_in(folder.path(), "redis.conf", &[]).unwrap();
    assert_eq!(get(&again.config, "save"), default);
    again.config.rewrite_all(&[]).unwrap();
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains("\nmaxmemory-samples 5\n"), "{written}");
    let all = load_in(folder.path(), "redis.conf", &[]).unwrap();
    for setting in again.config.settings() {
        let name = setting.spec().name;
        assert_eq!(get(&all.config, name), String::from_utf8(setting.text()).unwrap(), "{name}");
    }
}

#[test]
fn rewriting_toml_keeps_comments_and_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ferrite.toml");
    std::fs::write(&path, "# mine\n[network]\nport = 1 # one\n\n[memory]\nmaxmemory = \"1gb\"\n")
        .unwrap();
    let start = load_in(folder.path(), "ferrite.toml", &[]).unwrap();
    start.config.set(&["maxmemory", "5", "save", "", "timeout", "2"], false, &()).unwrap();
    start.config.rewrite(&[b"bob on >x".to_vec()]).unwrap();
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.starts_with("# mine\n[network]\nport = 1 # one\ntimeout = 2\n"), "{written}");
    assert!(written.contains("[memory]\nmaxmemory = 5\n"), "{written}");
    let again = load_in(folder.path(), "ferrite.toml", &[]).unwrap();
    assert_eq!(get(&again.config, "save"), "");
    assert_eq!(again.users[0][2], b">x");
    for setting in start.config.settings() {
        let name = setting.spec().name;
        assert_eq!(get(&again.config, name), String::from_utf8(setting.text()).unwrap(), "{name}");
    }
}

#[test]
fn every_parameter_survives_being_written_and_read() {
    for name in ["redis.conf", "ferrite.toml"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), "").unwrap();
        let start = load_in(folder.path(), name, &[]).unwrap();
        for (parameter, value) in [
            ("latency-tracking-info-percentiles", "1 50.5"),
            ("client-output-buffer-limit", "normal 3 2 1"),
            ("shutdown-on-sigterm", "nosave now"),
            ("notify-keyspace-events", "KEA"),
            ("bind", ""),
            ("loglevel", "debug"),
            ("tls-ciphersuites", "a b"),
            ("masterauth", "\u{e4}\n\"'\\"),
        ] {
            start.config.set(&[parameter, value], false, &()).unwrap();
        }
        start.config.rewrite(&[]).unwrap();
        let again = load_in(folder.path(), name, &[]).unwrap();
        for setting in start.config.settings() {
            let expected = String::from_utf8(setting.text()).unwrap();
            let parameter = setting.spec().name;
            assert_eq!(get(&again.config, parameter), expected, "{name}: {parameter}");
        }
    }
}

#[test]
fn the_template_is_a_file_with_all_parameters() {
    let template = Config::template();
    let start = load_text("ferrite.toml", &template, &[]).unwrap();
    for setting in start.config.settings() {
        let spec = setting.spec();
        let key = spec.path();
        let key = key.rsplit('.').next().unwrap();
        assert!(spec.hidden || template.contains(&format!("\n#{key} = ")), "{}", spec.name);
    }
    // With every remark sign before a key taken away it says the same.
    let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ");
    let open = template.lines().map(|line| if is_key(line) { &line[1..] } else { line });
    let open = load_text("ferrite.toml", &open.collect::<Vec<_>>().join("\n"), &[]).unwrap();
    for setting in open.config.settings().iter().filter(|it| it.spec().name != "dir") {
        let name = setting.spec().name;
        assert_eq!(get(&start.config, name).into_bytes(), setting.text(), "{name}");
    }
}

#[test]
fn rewriting_without_a_file_is_refused() {
    let error = Config::new(Path::new("/")).rewrite(&[]).unwrap_err();
    assert_eq!(error.to_string(), "The server is running without a config file");
}
