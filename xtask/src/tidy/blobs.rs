//! The repository holds sources, not data: no file above one mebibyte.

use super::Report;
use crate::repository::Repository;

const MAX_BYTES: u64 = 1024 * 1024;

pub fn check(repository: &Repository, report: &mut Report) {
    for file in repository.files.iter().filter(|file| file.size > MAX_BYTES) {
        let advice = format!("{} bytes: generate it where it is needed", file.size);
        report.fail(&file.path, 0, advice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::apply;

    #[test]
    fn large_files_fail() {
        let mut repository = Repository::of(&[("a.bin", "")]);
        repository.files[0].size = MAX_BYTES;
        assert!(apply(&("blobs", check), &repository).is_empty());
        repository.files[0].size = MAX_BYTES + 1;
        assert_eq!(apply(&("blobs", check), &repository).len(), 1);
    }
}
