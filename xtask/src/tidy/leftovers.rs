//! What merges and patches leave behind: conflict markers and files beside the real ones.

use super::Report;
use crate::repository::Repository;

const WIDTH: usize = 7;

pub fn check(repository: &Repository, report: &mut Report) {
    for file in &repository.files {
        if [".orig", ".rej"].iter().any(|ending| file.path.ends_with(ending)) {
            report.fail(&file.path, 0, "a patch left this behind: delete it");
        }
        for (line, _) in file.lines().filter(|(_, text)| is_marker(text)) {
            report.fail(&file.path, line, "finish the merge");
        }
    }
}

/// Seven of `<`, `>` or `|`, then a space and a name.
fn is_marker(line: &str) -> bool {
    let marks = ['<', '>', '|'].map(|c| format!("{} ", c.to_string().repeat(WIDTH)));
    marks.iter().any(|mark| line.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::failing;

    #[test]
    fn unfinished_merges_fail() {
        let marker = format!("a\n{} HEAD\nb\n", "<".repeat(WIDTH));
        assert_eq!(failing(check, &[("a.rs", &marker)]), [("a.rs".to_owned(), 2)]);
        assert!(failing(check, &[("a.rs", "a << b\n")]).is_empty());
        assert_eq!(failing(check, &[("a.rs.orig", "")]).len(), 1);
    }
}
