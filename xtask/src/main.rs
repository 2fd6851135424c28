//! Project verbs: `cargo xtask tidy` checks the house rules.

mod repository;
mod rust;
mod tidy;

use std::process::ExitCode;

use repository::Repository;

const USAGE: &str = "usage: cargo xtask tidy      check the house rules, one line per finding";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy(),
        _ => {
            say(USAGE);
            ExitCode::from(1)
        }
    }
}

fn tidy() -> ExitCode {
    let repository = match Repository::open() {
        Ok(repository) => repository,
        Err(problem) => {
            say(&format!("error: {problem}"));
            return ExitCode::from(1);
        }
    };
    let findings = tidy::check(&repository);
    findings.iter().for_each(|finding| say(&finding.to_string()));
    let failures = findings.iter().filter(|finding| finding.fails).count();
    let files = repository.files.len();
    say(&format!(
        "tidy: {files} files, {failures} to mend, {} to watch",
        findings.len() - failures
    ));
    if failures > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
