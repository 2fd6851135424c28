//! Lines end where their text ends, with a line feed, and files with one of them. Test data and
//! pinned output (`.txt`) stay as the program that made them wrote them.

use super::Report;
use crate::repository::Repository;

pub fn check(repository: &Repository, report: &mut Report) {
    for file in repository.files.iter().filter(|file| !is_data(&file.path)) {
        let lines = file.text.split('\n');
        for (at, _) in lines.enumerate().filter(|(_, line)| line.ends_with([' ', '\t', '\r'])) {
            report.fail(&file.path, at + 1, "take out the white space at the end of the line");
        }
        let ends = file.text.is_empty() || file.text.ends_with('\n');
        if !ends || file.text.ends_with("\n\n") {
            report.fail(&file.path, 0, "end the file with one line feed");
        }
    }
}

fn is_data(path: &str) -> bool {
    path.ends_with(".txt") || path.contains("/fixtures/")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::failing;

    #[test]
    fn space_at_the_end_fails() {
        for text in ["a \n", "a\t\n", "a\r\n"] {
            assert_eq!(failing(check, &[("a.md", text)]), [("a.md".to_owned(), 1)]);
        }
        for text in ["a", "a\n\n"] {
            assert_eq!(failing(check, &[("a.md", text)]).len(), 1);
        }
        assert!(failing(check, &[("a.md", "a\n\nb\n"), ("empty", "")]).is_empty());
        let data = [("a.help.txt", "a \n"), ("tests/fixtures/a.resp", "a\r\n")];
        assert!(failing(check, &data).is_empty());
    }
}
