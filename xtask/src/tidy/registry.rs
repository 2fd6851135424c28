//! One feature, one file and one line: in a registry folder, every file and folder is declared
//! and listed in `mod.rs`, and nothing is listed that is not there. A `pub mod` line is a list
//! entry by itself: its name is the interface.

use std::collections::BTreeSet;

use super::Report;
use crate::repository::Repository;
use crate::rust::has_word;

/// Folders whose `mod.rs` lists what they hold; a name with a star stands for every such folder
/// below.
const FOLDERS: &[&str] = &[
    "crates/ferrite-commands/src/catalogue/",
    "crates/ferrite-migrate/src/sources/",
    "crates/ferrite-migrate/src/targets/",
    "crates/ferrite-server/src/config/params/",
    "crates/ferrite-tools/src/*/commands/",
    "xtask/src/tidy/",
];

pub fn check(repository: &Repository, report: &mut Report) {
    let lists = repository.rust_files().filter_map(|file| {
        let folder = file.path.strip_suffix("mod.rs")?;
        FOLDERS.iter().any(|pattern| fits(pattern, folder)).then_some((file, folder))
    });
    for (list, folder) in lists {
        let names: BTreeSet<&str> = repository
            .rust_files()
            .filter_map(|file| file.path.strip_prefix(folder))
            .filter_map(|rest| rest.split('/').next())
            .map(|name| name.trim_end_matches(".rs"))
            .filter(|name| !["mod", "tests"].contains(name))
            .collect();
        for name in &names {
            let declared = list.code.lines().any(|line| declares(line) == Some(name));
            let used = list.code.lines().any(|line| uses(line, name) || publishes(line, name));
            if !declared {
                report.fail(&list.path, 0, format!("add `mod {name};`, or delete {folder}{name}"));
            } else if !used {
                report.fail(&list.path, 0, format!("{name} is declared and in no list: add it"));
            }
        }
        for (line, code, _) in list.code_lines() {
            let declared = declares(code).filter(|name| *name != "tests");
            if let Some(name) = declared.filter(|name| !names.contains(name)) {
                report.fail(&list.path, line, format!("{folder}{name} does not exist"));
            }
        }
    }
}

/// Whether a folder is the one meant; a star stands for any folders, also none.
fn fits(pattern: &str, folder: &str) -> bool {
    match pattern.split_once("*/") {
        None => pattern == folder,
        Some((start, end)) => folder.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}

/// The module a line declares, as in `pub mod name;`.
fn declares(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("mod ")?;
    let public = before.trim().is_empty() || before.trim_start().starts_with("pub");
    rest.trim().strip_suffix(';').filter(|_| public)
}

/// Whether a line names something of the module.
fn uses(line: &str, name: &str) -> bool {
    declares(line).is_none() && line.contains(&format!("{name}::")) && has_word(line, name)
}

/// Whether a line makes the module public.
fn publishes(line: &str, name: &str) -> bool {
    declares(line) == Some(name) && line.trim_start().starts_with("pub mod")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::failing;

    const FOLDER: &str = "crates/ferrite-migrate/src/sources";

    fn count(list: &str, others: &[&str]) -> usize {
        let list_path = format!("{FOLDER}/mod.rs");
        let paths: Vec<String> = others.iter().map(|name| format!("{FOLDER}/{name}")).collect();
        let mut files = vec![(list_path.as_str(), list)];
        files.extend(paths.iter().map(|path| (path.as_str(), "//! A.\n")));
        failing(check, &files).len()
    }

    #[test]
    fn list_and_folder_agree() {
        let list = "mod a;\npub mod b;\nconst ALL: &[Source] = &[a::SOURCE, b::SOURCE];\n";
        assert_eq!(count(list, &["a.rs", "b/mod.rs", "b/tests.rs"]), 0);
        assert_eq!(count(list, &["a.rs", "b.rs", "c.rs"]), 1, "a file without a line");
        assert_eq!(count(list, &["a.rs"]), 1, "a line without a file");
        assert_eq!(count("mod a;\n", &["a.rs"]), 1, "a file in no list");
        assert_eq!(count("pub mod a;\n", &["a.rs"]), 0, "public, so listed");
    }

    #[test]
    fn stars_stand_for_folders() {
        assert!(fits("a/src/*/commands/", "a/src/commands/"));
        assert!(fits("a/src/*/commands/", "a/src/migrate/commands/"));
        assert!(!fits("a/src/*/commands/", "a/src/commands/x/"));
    }
}
