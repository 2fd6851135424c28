//! Files stay readable: below 400 lines is the aim, above 700 warns, above 1000 fails. A file
//! that is one table says so in a line of its own, `// tidy: data table`.

use super::Report;
use crate::repository::{File, Repository};

const WARN_LINES: usize = 700;
const FAIL_LINES: usize = 1000;
const TABLE: &str = "// tidy: data table";

pub fn check(repository: &Repository, report: &mut Report) {
    for file in repository.rust_files().filter(|file| !is_table(file)) {
        let lines = file.text.lines().count();
        let advice = format!("{lines} lines: split the file by what its parts are for");
        if lines > FAIL_LINES {
            report.fail(&file.path, lines, advice);
        } else if lines > WARN_LINES {
            report.warn(&file.path, lines, advice);
        }
    }
}

fn is_table(file: &File) -> bool {
    file.text.lines().any(|line| line.trim() == TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::apply;
    use crate::tidy::tests::failing;

    #[test]
    fn long_files_warn_then_fail_and_tables_do_neither() {
        let text = |lines: usize| "fn a() {}\n".repeat(lines);
        let count = |text: &str| {
            let repository = Repository::of(&[("a.rs", text)]);
            apply(&("file_length", check), &repository).len()
        };
        assert_eq!(count(&text(WARN_LINES)), 0);
        assert_eq!(count(&text(WARN_LINES + 1)), 1);
        assert!(failing(check, &[("a.rs", &text(FAIL_LINES))]).is_empty());
        assert_eq!(failing(check, &[("a.rs", &text(FAIL_LINES + 1))]).len(), 1);
        assert_eq!(count(&format!("{TABLE}\n{}", text(FAIL_LINES + 1))), 0);
    }
}
