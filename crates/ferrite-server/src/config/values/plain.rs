//! One word, a file name, a folder, a list of words.

use std::path::PathBuf;

use super::super::setting::{Origin, Structure};
use super::super::{system, words};

/// One word of any kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// As text, where it is text.
    pub fn as_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Structure for Bytes {
    fn parse(words: &[Vec<u8>], _: &Self, _: Origin) -> Result<Self, String> {
        match words {
            [word] => Ok(Self(word.clone())),
            _ => Err("wrong number of arguments".to_owned()),
        }
    }

    fn text(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![words::quote(&self.0)]
    }
}

/// The name of a file without a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileName(pub String);

impl Structure for FileName {
    fn parse(words: &[Vec<u8>], now: &Self, origin: Origin) -> Result<Self, String> {
        let Bytes(word) = Bytes::parse(words, &Bytes(now.text()), origin)?;
        let name = String::from_utf8(word).map_err(|_| "the name of a file is not UTF-8")?;
        if name.is_empty() {
            return Err("the name of a file can't be empty".to_owned());
        }
        if name.contains('/') || name == "." || name == ".." {
            return Err("it can't be a path, just a filename".to_owned());
        }
        Ok(Self(name))
    }

    fn text(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![words::quote(self.0.as_bytes())]
    }
}

/// A folder that exists, as an absolute path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder(pub PathBuf);

impl Structure for Folder {
    fn parse(words: &[Vec<u8>], now: &Self, _: Origin) -> Result<Self, String> {
        let [word] = words else { return Err("wrong number of arguments".to_owned()) };
        let word = str::from_utf8(word).map_err(|_| "the name of a folder is not UTF-8")?;
        let path = now.0.join(word);
        let found = std::fs::metadata(&path).map_err(|error| system(&error));
        let found = found.and_then(|it| match it.is_dir() {
            true => path.canonicalize().map_err(|error| system(&error)),
            false => Err("Not a directory".to_owned()),
        });
        Ok(Self(found.map_err(|why| format!("Can't chdir to '{word}': {why}"))?))
    }

    fn text(&self) -> Vec<u8> {
        self.0.to_string_lossy().into_owned().into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![words::quote(&self.text())]
    }
}

/// Words without a further meaning here: addresses to listen at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List(pub Vec<String>);

/// The most addresses one directive may name.
const MAX_WORDS: usize = 16;

impl Structure for List {
    fn parse(words: &[Vec<u8>], _: &Self, _: Origin) -> Result<Self, String> {
        if words.len() > MAX_WORDS {
            return Err("Too many bind addresses specified.".to_owned());
        }
        let text = |word: &Vec<u8>| String::from_utf8(word.clone());
        let words: Result<Vec<String>, _> = words.iter().map(text).collect();
        let words = words.map_err(|_| "an address is not UTF-8")?;
        Ok(Self(words.into_iter().filter(|word| !word.is_empty()).collect()))
    }

    fn text(&self) -> Vec<u8> {
        self.0.join(" ").into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        if self.0.is_empty() { vec![b"\"\"".to_vec()] } else { vec![self.text()] }
    }
}
