//! Where migrations are that outlive their process: the directory that the option or
//! `FERRITE_STATE_DIR` names, else the one that the XDG base directories give to state.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::term::error::Failure;

/// Our directory below the one for everybody's state.
const NAME: &str = "ferrite-migrate";

/// The directory, `given` or by default.
///
/// # Errors
/// An environment without a home directory.
pub fn resolve(given: Option<&Path>) -> Result<PathBuf, Failure> {
    choose(given, env::var_os("XDG_STATE_HOME"), env::var_os("HOME")).ok_or_else(|| {
        Failure::usage(
            "finding the directory of the migrations",
            "neither XDG_STATE_HOME nor HOME is set to an absolute path",
        )
        .with_hint("--state-dir DIR")
    })
}

/// The XDG rules take a variable that is empty or relative for one that is not set.
fn choose(
    given: Option<&Path>,
    state: Option<OsString>,
    home: Option<OsString>,
) -> Option<PathBuf> {
    let absolute =
        |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(given) = given {
        return Some(given.to_owned());
    }
    let state = absolute(state).or_else(|| absolute(home).map(|home| home.join(".local/state")));
    state.map(|state| state.join(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(given: Option<&str>, state: Option<&str>, home: Option<&str>) -> Option<String> {
        let path = choose(given.map(Path::new), state.map(Into::into), home.map(Into::into));
        path.map(|path| path.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_nearest_to_the_operator_wins() {
        let cases = [
            (Some("here"), Some("/s"), Some("/h"), Some("here")),
            (None, Some("/s"), Some("/h"), Some("/s/ferrite-migrate")),
            (None, Some("s"), Some("/h"), Some("/h/.local/state/ferrite-migrate")),
            (None, Some(""), Some("/h"), Some("/h/.local/state/ferrite-migrate")),
            (None, None, Some("/h"), Some("/h/.local/state/ferrite-migrate")),
            (None, None, Some("h"), None),
            (None, None, None, None),
        ];
        for (given, state, home, expected) in cases {
            assert_eq!(chosen(given, state, home).as_deref(), expected, "{given:?} {state:?}");
        }
    }
}
