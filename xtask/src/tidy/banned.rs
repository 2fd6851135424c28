//! Statements that prove nothing, wait for luck or were left behind.

use super::Report;
use crate::repository::{File, Repository};
use crate::rust::{has_word, item_end, line_of};

/// Code that is never right, and what is.
const ANYWHERE: &[(&str, &str)] = &[
    ("#[ignore", "an ignored test proves nothing: make it run or delete it"),
    ("todo!", "write it, or leave the feature out"),
    ("unimplemented!", "write it, or return an error that says what is missing"),
    ("dbg!", "take it out, or trace it"),
    ("assert!(true)", "assert what the test is about"),
];

/// Words that announce work instead of doing it, in any text file.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];

pub fn check(repository: &Repository, report: &mut Report) {
    for file in &repository.files {
        notes(file, report);
        statements(file, report);
        sleeps(file, report);
        lost_matches(file, report);
    }
}

fn notes(file: &File, report: &mut Report) {
    for (line, text) in file.lines() {
        if NOTES.iter().any(|note| text.contains(note)) {
            report.fail(&file.path, line, "do it, or say in the documents that it is not done");
        }
    }
}

fn statements(file: &File, report: &mut Report) {
    for (line, code, _) in file.code_lines() {
        for (_, advice) in ANYWHERE.iter().filter(|(pattern, _)| code.contains(pattern)) {
            report.fail(&file.path, line, *advice);
        }
    }
}

fn sleeps(file: &File, report: &mut Report) {
    for (line, code, is_test) in file.code_lines() {
        if is_test && has_word(code, "sleep") {
            report.fail(
                &file.path,
                line,
                "wait for the event itself, with a deadline; never sleep",
            );
        }
    }
}

/// `matches!(…);` as a statement of its own computes an answer and drops it.
fn lost_matches(file: &File, report: &mut Report) {
    for (at, _) in file.code.match_indices("matches!(") {
        let before = file.code.get(..at).and_then(|it| it.trim_end().chars().next_back());
        let end = item_end(&file.code, at);
        let statement = matches!(before, Some(';' | '{' | '}'));
        if statement && file.code.get(end..=end) == Some(";") {
            let line = line_of(&file.code, at);
            report.fail(&file.path, line, "the answer is dropped: write assert!(matches!(…))");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::failing;

    fn fails(path: &str, text: &str) -> bool {
        !failing(check, &[(path, text)]).is_empty()
    }

    #[test]
    fn left_behind_statements_fail() {
        for word in ["#[ignore]", "todo!()", "unimplemented!()", "dbg!(1)", "assert!(true);"] {
            assert!(fails("a.rs", &format!("fn a() {{\n{word}\n}}\n")), "{word}");
            assert!(!fails("a.rs", &format!("fn a() {{\nlet b = {word:?};\n}}\n")), "{word}");
        }
    }

    #[test]
    fn notes_fail_in_comments_and_documents() {
        let note = super::NOTES[0];
        assert!(fails("a.rs", &format!("// {note} later\n")));
        assert!(fails("a.md", &format!("{note}: later\n")));
        assert!(!fails("a.md", "To do: nothing.\n"));
    }

    #[test]
    fn tests_do_not_sleep() {
        assert!(fails("tests/a.rs", "fn a() { std::thread::sleep(D); }"));
        assert!(fails("a.rs", "#[cfg(test)]\nmod tests {\n    use tokio::time::sleep;\n}\n"));
        assert!(!fails("a.rs", "fn a() { std::thread::sleep(D); }"));
    }

    #[test]
    fn a_dropped_answer_fails() {
        assert!(fails("a.rs", "fn a() {\n    matches!(b, Some(c) if d(c));\n}\n"));
        assert!(!fails("a.rs", "fn a() -> bool {\n    matches!(b, Some(_))\n}\n"));
        assert!(!fails("a.rs", "fn a() {\n    let c =\n        matches!(b, Some(_));\n}\n"));
    }
}
