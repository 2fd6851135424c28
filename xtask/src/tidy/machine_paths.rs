//! Nothing in the repository names a folder of somebody's machine or a package registry's host:
//! both come from where the code runs.

use super::Report;
use crate::repository::Repository;

/// First folders of paths that exist on one machine only.
const FOLDERS: &[&str] = &["work", "root", "Users"];

/// How hosts of package registries and mirrors begin.
const HOSTS: &[&str] =
    &["deb.", "files.", "index.", "proxy.", "registry.", "repo.", "repo1.", "static."];

pub fn check(repository: &Repository, report: &mut Report) {
    for file in repository.files.iter().filter(|file| !file.path.ends_with(".lock")) {
        for (line, text) in file.lines() {
            if FOLDERS.iter().any(|folder| has_absolute(text, folder)) {
                report.fail(&file.path, line, "take the path from the environment or an argument");
            }
            if HOSTS.iter().any(|host| text.contains(&format!("//{host}"))) {
                report.fail(&file.path, line, "use the package manager, which knows its hosts");
            }
        }
    }
}

/// Whether `/folder/` stands here as the start of a path.
fn has_absolute(text: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    text.match_indices(&path).any(|(at, _)| {
        let before = text.get(..at).and_then(|it| it.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.}>*)/".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::failing;

    #[test]
    fn machine_paths_fail() {
        let path = format!("cd {}{}/main\n", "/", FOLDERS[0]);
        assert_eq!(failing(check, &[("a.md", &path)]).len(), 1);
        assert!(failing(check, &[("Cargo.lock", &path)]).is_empty());
        assert!(failing(check, &[("a.md", "see docs/root/a and $HOME/root/b\n")]).is_empty());
    }

    #[test]
    fn registry_hosts_fail() {
        for host in HOSTS {
            assert_eq!(
                failing(check, &[("a.sh", &format!("curl https://{host}example.org/x\n"))]).len(),
                1
            );
        }
        assert!(failing(check, &[("a.sh", "apt-get download redis-server\n")]).is_empty());
    }
}
