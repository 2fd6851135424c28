//! Colors: when there are any, and which.

use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};

/// When to color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// The colors for one stream.
    pub fn palette(self, is_terminal: bool) -> Palette {
        let colored = match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && !is_set("NO_COLOR") && !is_dumb(),
        };
        Palette { colored }
    }
}

/// Whether the terminal says that it can do nothing.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Colors by what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    colored: bool,
}

impl Palette {
    /// No colors.
    #[cfg(test)]
    pub const PLAIN: Self = Self { colored: false };

    /// All is well.
    pub fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// Worth knowing.
    pub fn warn(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// Something failed.
    pub fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// A headline, or the start of a line to find again.
    pub fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_of_the_command_line_wins() {
        assert_eq!(ColorChoice::Always.palette(false).good("x"), "\u{1b}[32mx\u{1b}[0m");
        assert_eq!(ColorChoice::Never.palette(true), Palette::PLAIN);
        assert_eq!(ColorChoice::Auto.palette(false), Palette::PLAIN);
    }
}
