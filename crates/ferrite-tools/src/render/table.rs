//! The frame of our reports: a title between double lines, sections under single ones, names and
//! values in two columns.

use crate::term::color::Palette;

/// Columns of the lines around a title.
const TITLE_WIDTH: usize = 55;
/// Columns of the line under a section's name.
const SECTION_WIDTH: usize = 53;
/// Columns of names in front of their values.
const NAME_WIDTH: usize = 18;

/// A report being put together, line by line.
pub struct Sheet {
    lines: Vec<String>,
    palette: Palette,
}

impl Sheet {
    /// Begins with a title.
    pub fn new(title: &str, palette: Palette) -> Self {
        let rule = "═".repeat(TITLE_WIDTH);
        Self { lines: vec![rule.clone(), palette.bold(title), rule], palette }
    }

    /// Begins without a title.
    pub fn bare(palette: Palette) -> Self {
        Self { lines: Vec::new(), palette }
    }

    /// Begins a section.
    pub fn section(&mut self, name: &str) {
        self.lines.push(String::new());
        self.lines.push(self.palette.bold(name));
        self.rule();
    }

    /// A single line across.
    pub fn rule(&mut self) {
        self.lines.push("─".repeat(SECTION_WIDTH));
    }

    /// A name and its value.
    pub fn pair(&mut self, name: &str, value: impl AsRef<str>) {
        let name = format!("{name}:");
        self.lines.push(format!("{name:<NAME_WIDTH$}{}", value.as_ref()));
    }

    /// A line as it is.
    pub fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// The whole text, without the last line's end.
    pub fn finish(self) -> String {
        self.lines.join("\n")
    }
}
