//! A test must be able to fail: a file with tests asserts something.

use super::Report;
use crate::repository::Repository;

const TEST_MARKS: &[&str] = &["#[test]", "#[tokio::test"];

/// What can fail a test.
const WAYS_TO_FAIL: &[&str] = &["assert", "panic!", "unwrap_err", "expect_err"];

pub fn check(repository: &Repository, report: &mut Report) {
    for file in repository.rust_files() {
        let first_test = file.code_lines().find(|(_, line, _)| marks_test(line));
        let can_fail = WAYS_TO_FAIL.iter().any(|way| file.code.contains(way));
        if let Some((line, _, _)) = first_test.filter(|_| !can_fail) {
            report.fail(&file.path, line, "no test of this file can fail: assert what they show");
        }
    }
}

fn marks_test(line: &str) -> bool {
    TEST_MARKS.iter().any(|mark| line.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::failing;

    #[test]
    fn tests_that_assert_nothing_fail() {
        let text = "//! A.\n#[test]\nfn a() {\n    run();\n}\n";
        assert_eq!(failing(check, &[("a.rs", text)]), [("a.rs".to_owned(), 2)]);
        let text = "#[tokio::test]\nasync fn a() {\n    assert_eq!(run().await, 1);\n}\n";
        assert!(failing(check, &[("a.rs", text)]).is_empty());
        assert!(failing(check, &[("a.rs", "fn a() {}\n")]).is_empty());
    }
}
