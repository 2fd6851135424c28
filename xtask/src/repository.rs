//! The files of the repository as rules see them: everything git tracks or would track.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rust;

/// One file.
pub struct File {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// The text; empty for what is not UTF-8.
    pub text: String,
    /// For Rust, the text with comments and the insides of literals blanked; else empty.
    pub code: String,
    /// For Rust, whether each line belongs to tests.
    pub is_test: Vec<bool>,
}

impl File {
    /// A file with this text; rules' own tests make theirs with it.
    pub fn new(path: &str, text: &str) -> Self {
        let is_rust = path.ends_with(".rs");
        let code = if is_rust { rust::blank(text) } else { String::new() };
        let is_test = if is_rust { rust::test_lines(path, &code) } else { Vec::new() };
        let size = text.len() as u64;
        Self { path: path.to_owned(), size, text: text.to_owned(), code, is_test }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Lines of text with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Lines of code with their numbers from 1 and whether they belong to tests.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let lines = self.code.lines().enumerate();
        lines.map(|(at, line)| (at + 1, line, self.is_test.get(at).copied().unwrap_or(false)))
    }
}

/// All files, and what cargo says about the packages.
pub struct Repository {
    pub files: Vec<File>,
    /// The answer of `cargo metadata --no-deps`.
    pub metadata: serde_json::Value,
}

impl Repository {
    /// Reads the repository this program was built from.
    pub fn open() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = root.parent().ok_or("xtask has no parent folder")?;
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = run(root, "git", &list)?;
        let mut files = Vec::new();
        for path in listed.split('\0').filter(|path| !path.is_empty()) {
            files.extend(read(root, path)?);
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        files.dedup_by(|left, right| left.path == right.path);
        let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
        let metadata = run(root, &cargo.to_string_lossy(), &arguments)?;
        let metadata = serde_json::from_str(&metadata);
        let metadata = metadata.map_err(|error| format!("reading cargo metadata: {error}"))?;
        Ok(Self { files, metadata })
    }

    /// A repository of these files, for rules' own tests.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| File::new(path, text)).collect();
        Self { files, metadata: serde_json::Value::Null }
    }

    pub fn rust_files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }
}

/// The file, or nothing where it was deleted and not yet committed or is not a file.
fn read(root: &Path, path: &str) -> Result<Option<File>, String> {
    let full = root.join(path);
    if !full.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(&full).map_err(|error| format!("reading {path}: {error}"))?;
    let size = bytes.len() as u64;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let text = if text.contains('\0') { String::new() } else { text };
    let mut file = File::new(path, &text);
    file.size = size;
    Ok(Some(file))
}

fn run(root: &Path, program: &str, arguments: &[&str]) -> Result<String, String> {
    let shown = || format!("{program} {}", arguments.join(" "));
    let output = Command::new(program).args(arguments).current_dir(root).output();
    let output = output.map_err(|error| format!("running {}: {error}", shown()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", shown(), String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{} answered in no UTF-8", shown()))
}
