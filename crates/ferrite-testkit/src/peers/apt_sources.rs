//! What the machine's own apt configuration says: the mirror of Debian, its keys, its proxy.
//!
//! Two notations exist, `sources.list(5)`:
//!
//! ```text
//! deb [signed-by=/path arch=amd64] URI suite component…      one line, *.list
//!
//! Types: deb                                                 a paragraph, *.sources
//! URIs: URI
//! Suites: suite suite-updates
//! Components: main
//! Signed-By: /path
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::run;

/// Debian's releases and their aliases: a source that offers one of these may be Debian itself.
const SUITES: [&str; 11] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "oldoldstable",
];

/// A keyring Debian machines have, which knows all releases.
const USUAL_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A place that serves Debian's packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archive {
    /// Address of the mirror, as the machine's configuration writes it.
    pub uri: String,
    /// A release the machine takes from it.
    pub suite: String,
    /// Keys to check it with; `None` leaves the choice to apt's trusted keys.
    pub keyring: Option<PathBuf>,
}

/// The first Debian archive in the apt configuration under `etc`.
pub(super) fn debian_archive(etc: &Path) -> Result<Archive, String> {
    let mut archives = Vec::new();
    for file in source_files(etc) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let is_list = file.extension().is_some_and(|extension| extension == "list");
        archives.extend(if is_list { parse_lines(&text) } else { parse_paragraphs(&text) });
    }
    // Other publishers use Debian's names for their suites; Debian's own path says "debian".
    let chosen = archives.iter().find(|archive| archive.uri.contains("debian"));
    let mut archive = chosen.or(archives.first()).cloned().ok_or_else(|| {
        format!("the apt configuration in {} names no mirror of Debian", etc.display())
    })?;
    if Path::new(USUAL_KEYRING).exists() {
        archive.keyring = Some(PathBuf::from(USUAL_KEYRING));
    }
    Ok(archive)
}

fn source_files(etc: &Path) -> Vec<PathBuf> {
    let mut files = vec![etc.join("sources.list")];
    if let Ok(entries) = fs::read_dir(etc.join("sources.list.d")) {
        let mut parts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        parts.retain(|path| {
            path.extension().is_some_and(|extension| extension == "list" || extension == "sources")
        });
        parts.sort();
        files.extend(parts);
    }
    files
}

fn parse_lines(text: &str) -> Vec<Archive> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Archive> {
    let line = line.split('#').next()?.trim();
    let mut rest = line.strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
    let mut keyring = None;
    if let Some(bracketed) = rest.strip_prefix('[') {
        let (options, after) = bracketed.split_once(']')?;
        keyring = options.split_whitespace().find_map(|word| word.strip_prefix("signed-by="));
        rest = after;
    }
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    archive(uri, &[suite], &words.collect::<Vec<_>>(), keyring)
}

fn parse_paragraphs(text: &str) -> Vec<Archive> {
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    kept.split(|line| line.trim().is_empty()).filter_map(parse_paragraph).collect()
}

fn parse_paragraph(lines: &[&str]) -> Option<Archive> {
    let field = |name: &str| {
        lines.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let words = |name: &str| field(name).unwrap_or_default().split_whitespace().collect::<Vec<_>>();
    if !words("Types").contains(&"deb") || field("Enabled") == Some("no") {
        return None;
    }
    archive(words("URIs").first()?, &words("Suites"), &words("Components"), field("Signed-By"))
}

fn archive(
    uri: &str,
    suites: &[&str],
    components: &[&str],
    keyring: Option<&str>,
) -> Option<Archive> {
    let suite = suites.iter().find(|suite| SUITES.contains(suite))?;
    let keyring = keyring.filter(|path| path.starts_with('/')).map(PathBuf::from);
    let found = Archive { uri: uri.to_owned(), suite: (*suite).to_owned(), keyring };
    components.contains(&"main").then_some(found)
}

/// The machine's settings about the network (proxies, certificates, validity of old mirrors), in
/// the notation of `apt.conf`. Empty when there is no `apt-config`: apt-get will say more.
pub(super) fn network_settings() -> String {
    let dump = run(Command::new("apt-config").arg("dump")).unwrap_or_default();
    let wanted = |line: &&str| {
        line.starts_with("Acquire::")
            && !line.starts_with("Acquire::IndexTargets")
            && !line.starts_with("Acquire::Languages")
    };
    dump.lines().filter(wanted).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notations_are_read() {
        let expected = Archive {
            uri: "http://mirror.example/debian".to_owned(),
            suite: "bookworm".to_owned(),
            keyring: Some(PathBuf::from("/keys/d.gpg")),
        };
        let lines = "# deb http://old.example/debian bookworm main\n\
                     deb-src http://mirror.example/debian bookworm main\n\
                     deb [arch=amd64 signed-by=/keys/d.gpg] http://mirror.example/debian bookworm main # x\n";
        assert_eq!(parse_lines(lines).first(), Some(&expected));
        let paragraphs = "Types: deb\n# a comment\nURIs: http://mirror.example/debian\n\
                          Suites: bookworm bookworm-updates\nComponents: main\n\
                          Signed-By: /keys/d.gpg\n\n\
                          Types: deb\nURIs: http://mirror.example/debian-security\n\
                          Suites: bookworm-security\nComponents: main\n";
        assert_eq!(parse_paragraphs(paragraphs), [expected]);
    }

    #[test]
    fn other_publishers_are_not_taken_for_debian() {
        let lines = "deb https://packages.example cloud-sdk-bookworm main\n\
                     deb https://docker.example/linux/debian bookworm stable\n";
        assert_eq!(parse_lines(lines), []);
    }
}
