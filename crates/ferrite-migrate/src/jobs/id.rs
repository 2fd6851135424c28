//! Ids of jobs. They name directories, so nothing else may hide in one.

use super::JobError;

/// What every id begins with.
pub const PREFIX: &str = "mig_";
/// Longest id in bytes.
const LENGTH_MAX: usize = 64;

/// Whether it can be the id of a job: `mig_`, then ASCII letters, digits, `_` and `-`.
pub fn is_valid(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    id.len() <= LENGTH_MAX
        && id
            .strip_prefix(PREFIX)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_allowed))
}

/// Refuses what cannot be an id.
pub fn check(id: &str) -> Result<(), JobError> {
    if is_valid(id) { Ok(()) } else { Err(JobError::BadId { id: id.to_owned() }) }
}

/// Those of `ids` that are called most like `wanted`, the most alike first.
pub fn nearest(wanted: &str, mut ids: Vec<String>) -> Vec<String> {
    ids.sort_by_cached_key(|id| (distance(wanted.as_bytes(), id.as_bytes()), id.clone()));
    ids.truncate(JobError::NEAREST_MAX);
    ids
}

/// How many bytes must be changed, added or taken away to make one of the other (Levenshtein).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, x) in a.iter().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let change = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = change.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_name_of_a_directory() {
        for id in ["mig_a", "mig_abc123", "mig_A-b_9"] {
            assert!(is_valid(id), "{id}");
        }
        let long = format!("mig_{}", "a".repeat(LENGTH_MAX));
        for id in ["", "mig_", "abc", "mig_../x", "mig_a/b", "mig_.", "mig_é", "../mig_a", &long] {
            assert!(!is_valid(id), "{id}");
        }
    }

    #[test]
    fn distances_are_counted_in_edits() {
        let cases = [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3)];
        for (a, b, expected) in cases {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_most_alike_come_first() {
        let ids = ["mig_zzzz", "mig_abcd", "mig_abxx", "mig_qqqq"].map(str::to_owned).to_vec();
        assert_eq!(nearest("mig_abce", ids), ["mig_abcd", "mig_abxx", "mig_qqqq"]);
    }
}
