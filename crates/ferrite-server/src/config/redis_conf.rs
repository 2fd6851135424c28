//! The form of `redis.conf`: a directive and its words on each line.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ferrite_commands::matches_glob;

use super::error::LoadError;
use super::load::{Start, read};
use super::setting::Origin;
use super::words;

/// How deep files may include others.
const MAX_DEPTH: usize = 16;

/// Directives of older versions that Redis 7.2 takes without a word, each with one argument.
const RETIRED: &[&str] =
    &["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

/// Directives that are no parameters and that this version refuses, with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("loadmodule", "Ferrite cannot load modules: they are native code for another server"),
    ("sentinel", "sentinel directive while not in sentinel mode"),
];

/// The options of a command line as lines of a configuration file.
///
/// `--name` begins a line and what follows are its words; `--port 6380` in one argument is a line
/// of its own. `--save` with nothing behind it means `save ""`.
pub(super) fn options(arguments: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut complete = true;
    for (at, argument) in arguments.iter().enumerate() {
        let next = arguments.get(at + 1);
        match argument.strip_prefix(b"--").filter(|_| complete) {
            Some(name) => {
                if !text.is_empty() {
                    text.push(b'\n');
                }
                text.extend_from_slice(name);
                text.push(b' ');
                let alone = words::split(argument).is_some_and(|words| words.len() == 1);
                let last = next.is_none();
                let another = next.is_some_and(|next| next.starts_with(b"--"));
                let empty = alone && name.eq_ignore_ascii_case(b"save") && (another || last);
                if empty {
                    text.extend(b"\"\"");
                }
                complete = !alone || empty;
            }
            None => {
                text.extend(words::quote(argument));
                text.push(b' ');
                complete = true;
            }
        }
    }
    text
}

/// Takes every line of a text.
pub(super) fn load(start: &mut Start, text: &[u8]) -> Result<(), LoadError> {
    let mut seen = HashSet::new();
    Reader { start, seen: &mut seen, depth: 0 }.lines(text)
}

struct Reader<'a> {
    start: &'a mut Start,
    /// Parameters that an earlier line named.
    seen: &'a mut HashSet<&'static str>,
    depth: usize,
}

/// What is wrong with a line: an answer of our own, or an error in a file that it includes.
enum Wrong {
    Why(String),
    Elsewhere(LoadError),
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self::Why(why)
    }
}

impl From<&str> for Wrong {
    fn from(why: &str) -> Self {
        Self::Why(why.to_owned())
    }
}

impl Reader<'_> {
    fn lines(&mut self, text: &[u8]) -> Result<(), LoadError> {
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = words::trim(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            self.line(line).map_err(|wrong| match wrong {
                Wrong::Elsewhere(error) => error,
                Wrong::Why(why) => {
                    let text = String::from_utf8_lossy(line).into_owned();
                    LoadError::Line { number: at + 1, text, why }
                }
            })?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Wrong> {
        let words = words::split(line).ok_or("Unbalanced quotes in configuration line")?;
        let Some((name, rest)) = words.split_first() else { return Ok(()) };
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        if let Some(setting) = self.start.config.find(name) {
            let spec = setting.spec();
            let split = match rest {
                [] if !spec.takes_words() => {
                    return Err("wrong number of arguments".into());
                }
                [_, _, ..] if !spec.takes_words() => {
                    return Err("wrong number of arguments".into());
                }
                [only] if spec.takes_words() && !only.is_empty() => words::split(only),
                _ => None,
            };
            let again = !self.seen.insert(spec.name);
            let words = split.as_deref().unwrap_or(rest);
            let value = setting.check(words, Origin::Start { again })?;
            setting.store(&value);
            return Ok(());
        }
        if let Some((_, why)) = REFUSED.iter().find(|(word, _)| is(word)) {
            return Err((*why).into());
        }
        match rest {
            [pattern] if is("include") => self.include(pattern),
            [_, ..] if is("user") => {
                self.start.users.push(rest.to_vec());
                Ok(())
            }
            [old, new] if is("rename-command") => {
                self.start.names.rename(old, new).map_err(Wrong::from)
            }
            [_] if RETIRED.iter().any(|word| is(word)) => Ok(()),
            _ => Err("Bad directive or wrong number of arguments".into()),
        }
    }

    /// `include`: every file that a pattern means, in the order of their names.
    fn include(&mut self, pattern: &[u8]) -> Result<(), Wrong> {
        if self.depth == MAX_DEPTH {
            return Err(format!("files include each other more than {MAX_DEPTH} deep").into());
        }
        let pattern = PathBuf::from(String::from_utf8_lossy(pattern).into_owned());
        for path in files(&self.start.config.folder(), &pattern) {
            let text = read(&path).map_err(Wrong::Elsewhere)?;
            let mut reader = Reader { start: self.start, seen: self.seen, depth: self.depth + 1 };
            reader.lines(&text).map_err(Wrong::Elsewhere)?;
        }
        Ok(())
    }
}

/// The paths that a pattern means; a path without `*?[` is itself, whether it exists or not.
fn files(folder: &Path, pattern: &Path) -> Vec<PathBuf> {
    let wild = |part: &str| part.contains(['*', '?', '[']);
    let mut found = vec![folder.to_path_buf()];
    for part in pattern.components() {
        let part = part.as_os_str().to_string_lossy().into_owned();
        if !wild(&part) {
            found.iter_mut().for_each(|path| path.push(&part));
            continue;
        }
        let entries = found.iter().flat_map(|path| std::fs::read_dir(path).ok());
        let mut next: Vec<PathBuf> = entries
            .flatten()
            .flatten()
            .filter(|entry| fits(&part, &entry.file_name().to_string_lossy()))
            .map(|entry| entry.path())
            .collect();
        next.sort();
        found = next;
    }
    found
}

/// Whether a name fits a pattern of names: one that begins with a dot only when the pattern does.
fn fits(pattern: &str, name: &str) -> bool {
    (pattern.starts_with('.') || !name.starts_with('.'))
        && matches_glob(pattern.as_bytes(), name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::options;

    fn lines(arguments: &[&str]) -> String {
        let arguments: Vec<Vec<u8>> =
            arguments.iter().map(|word| word.as_bytes().to_vec()).collect();
        String::from_utf8(options(&arguments)).unwrap()
    }

    #[test]
    fn options_become_lines() {
        assert_eq!(
            lines(&["--port", "6380", "--save", "3600", "1"]),
            "port \"6380\" \nsave \"3600\" \"1\" "
        );
        assert_eq!(lines(&["--port 6380", "--dir", "x"]), "port 6380 \ndir \"x\" ");
        assert_eq!(lines(&["--save", "--port", "1"]), "save \"\"\nport \"1\" ");
        assert_eq!(lines(&["--port", "1", "--save"]), "port \"1\" \nsave \"\"");
        assert_eq!(lines(&["--requirepass", "--x"]), "requirepass \"--x\" ", "a value with dashes");
    }
}
