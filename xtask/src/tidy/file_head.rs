//! Every Rust file opens by saying what it is for.

use super::Report;
use crate::repository::Repository;

pub fn check(repository: &Repository, report: &mut Report) {
    for file in repository.rust_files() {
        let first = file.text.lines().next().unwrap_or_default();
        let says = first.strip_prefix("//!").is_some_and(|words| !words.trim().is_empty());
        if !says {
            report.fail(&file.path, 1, "open the file with `//!` and what it is for");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::failing;

    #[test]
    fn a_file_without_purpose_fails() {
        assert!(failing(check, &[("a.rs", "//! What it is for.\nfn a() {}\n")]).is_empty());
        for text in ["fn a() {}\n", "//!\nfn a() {}\n", "// A comment.\n", ""] {
            assert_eq!(failing(check, &[("a.rs", text)]), [("a.rs".to_owned(), 1)]);
        }
    }
}
