//! Libraries neither print, nor exit, nor read the environment: that is for binaries.

use super::Report;
use crate::repository::Repository;

const LIBRARIES: &[&str] = &[
    "crates/ferrite-resp/src/",
    "crates/ferrite-rdb/src/",
    "crates/ferrite-commands/src/",
    "crates/ferrite-client/src/",
    "crates/ferrite-migrate/src/",
    "crates/ferrite-server/src/",
];

const BANNED: &[(&str, &str)] = &[
    ("print!(", "return it, or report an event"),
    ("println!(", "return it, or report an event"),
    ("process::exit", "return an error; the binary exits"),
    ("env::var", "take it as an argument; the binary reads the environment"),
    ("env::args", "take it as an argument; the binary reads its arguments"),
];

pub fn check(repository: &Repository, report: &mut Report) {
    let libraries = |path: &str| LIBRARIES.iter().any(|folder| path.starts_with(folder));
    for file in repository.rust_files().filter(|file| libraries(&file.path)) {
        for (line, code, _) in file.code_lines().filter(|(_, _, is_test)| !is_test) {
            for (_, advice) in BANNED.iter().filter(|(pattern, _)| code.contains(pattern)) {
                report.fail(&file.path, line, *advice);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::failing;

    #[test]
    fn libraries_are_silent() {
        let path = "crates/ferrite-rdb/src/a.rs";
        for code in
            ["println!(\"a\");", "eprint!(\"a\");", "std::process::exit(1);", "env::var(\"A\");"]
        {
            let text = format!("fn a() {{ {code} }}\n");
            assert_eq!(failing(check, &[(path, &text)]).len(), 1, "{code}");
            assert!(failing(check, &[("crates/ferrite-tools/src/a.rs", &text)]).is_empty());
            let test = format!("#[cfg(test)]\nmod tests {{\n{text}}}\n");
            assert!(failing(check, &[(path, &test)]).is_empty());
        }
        assert!(failing(check, &[(path, "// println!(\"a\");\n")]).is_empty());
    }
}
