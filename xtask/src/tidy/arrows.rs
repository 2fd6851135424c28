//! Which crate may depend on which: arrows point down only.
//!
//! ```text
//! resp   rdb
//!   ^     ^
//! commands
//!   ^
//! client      store
//!   ^           ^
//! migrate     server
//!   ^           ^
//!   tools ──────┘
//! ```
//!
//! `testkit` and `xtask` are for development: nobody depends on them but tests.

use serde_json::Value;

use super::Report;
use crate::repository::Repository;

/// A crate and what it may depend on (tests may depend on anything).
const ALLOWED: &[(&str, &[&str])] = &[
    ("ferrite-resp", &[]),
    ("ferrite-rdb", &[]),
    ("ferrite-commands", &["ferrite-resp"]),
    ("ferrite-client", &["ferrite-commands", "ferrite-resp", "ferrite-rdb"]),
    ("ferrite-migrate", &["ferrite-client", "ferrite-commands", "ferrite-rdb", "ferrite-resp"]),
    ("ferrite-store", &["ferrite-rdb"]),
    ("ferrite-server", &["ferrite-store", "ferrite-commands", "ferrite-rdb", "ferrite-resp"]),
    ("ferrite", &["ferrite-server"]),
    ("ferrite-tools", &["ferrite-migrate", "ferrite-server", "ferrite-client", "ferrite-commands"]),
    ("ferrite-testkit", &["ferrite-resp"]),
    ("xtask", &[]),
];

pub fn check(repository: &Repository, report: &mut Report) {
    let packages = repository.metadata["packages"].as_array();
    let root = repository.metadata["workspace_root"].as_str().unwrap_or_default();
    for package in packages.into_iter().flatten() {
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        let path = manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/');
        check_package(package, path, report);
    }
}

fn check_package(package: &Value, path: &str, report: &mut Report) {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        report.fail(path, 0, format!("give {name} its line in xtask/src/tidy/arrows.rs"));
        return;
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let target = dependency["name"].as_str().unwrap_or_default();
        let for_tests = dependency["kind"].as_str() == Some("dev");
        let ours = ALLOWED.iter().any(|(known, _)| *known == target);
        if ours && !for_tests && !allowed.contains(&target) {
            let advice = format!("{name} must not depend on {target}: move what both need down");
            report.fail(path, 0, advice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::apply;

    fn failures(name: &str, target: &str, kind: Value) -> usize {
        let dependency = serde_json::json!({ "name": target, "kind": kind });
        let package = serde_json::json!({
            "name": name,
            "manifest_path": "/r/crates/x/Cargo.toml",
            "dependencies": [dependency],
        });
        let mut repository = Repository::of(&[]);
        repository.metadata = serde_json::json!({ "packages": [package], "workspace_root": "/r" });
        let findings = apply(&("arrows", check), &repository);
        assert!(findings.iter().all(|finding| finding.path == "crates/x/Cargo.toml"));
        findings.len()
    }

    #[test]
    fn down_is_allowed_and_up_is_not() {
        assert_eq!(failures("ferrite-client", "ferrite-resp", Value::Null), 0);
        assert_eq!(failures("ferrite-resp", "ferrite-client", Value::Null), 1);
        assert_eq!(failures("ferrite-resp", "bytes", Value::Null), 0);
    }

    #[test]
    fn development_crates_serve_tests_only() {
        assert_eq!(failures("ferrite-client", "ferrite-testkit", Value::Null), 1);
        assert_eq!(failures("ferrite-client", "ferrite-testkit", "dev".into()), 0);
    }

    #[test]
    fn a_new_crate_needs_a_line() {
        assert_eq!(failures("ferrite-new", "bytes", Value::Null), 1);
    }
}
