//! Files of users, and users in configuration files.

use std::collections::BTreeMap;
use std::path::Path;

use super::DEFAULT;
use super::account::Acl;
use super::error::FileError;
use super::selector::has_spaces;
use super::user::{User, merge};
use crate::config::{replace, system, words};

/// The end of every message about a file with errors.
const UNCHANGED: &str = "WARNING: ACL errors detected, no change to the previously active ACL \
                         rules was performed";

impl Acl {
    /// Takes all users from a file, in place of those there are: all of it, or nothing. Users
    /// that are not in it are deleted; `default` may do everything then. `Ok` has the names of
    /// users whose connections are to be closed, because they are gone.
    pub fn load(&self, path: &Path, all_channels: bool) -> Result<(), FileError> {
        let shown = path.display();
        let text = std::fs::read(path).map_err(|error| {
            FileError(format!("Error loading ACLs, opening file '{shown}': {}", system(&error)))
        })?;
        let mut users = BTreeMap::new();
        let mut wrong = String::new();
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = words::trim(line);
            if line.is_empty() {
                continue;
            }
            match self.line(line, all_channels) {
                Ok(user) if users.contains_key(&user.name) => {
                    let name = String::from_utf8_lossy(&user.name).into_owned();
                    let number = at + 1;
                    wrong += &format!("WARNING: Duplicate user '{name}' found on line {number}. ");
                }
                Ok(user) => drop(users.insert(user.name.clone(), user)),
                Err(why) => wrong += &format!("{shown}:{}{why}", at + 1),
            }
        }
        if !wrong.is_empty() {
            return Err(FileError(wrong + UNCHANGED));
        }
        users.entry(DEFAULT.to_vec()).or_insert_with(|| User::unlimited(DEFAULT));
        for user in self.users() {
            if !users.contains_key(&user.name) {
                self.delete_user(&user.name);
            }
        }
        users.into_values().for_each(|user| self.put(user));
        Ok(())
    }

    /// One line of a file. The error begins with what follows the number of the line.
    fn line(&self, line: &[u8], all_channels: bool) -> Result<User, String> {
        let parts: Vec<&[u8]> =
            line.split(|byte| *byte == b' ').filter(|part| !part.is_empty()).collect();
        let Some(([b"user", name], rules)) = parts.split_first_chunk::<2>() else {
            return Err(" should start with user keyword followed by the username. ".to_owned());
        };
        if has_spaces(name) {
            return Err(": username contains invalid characters. ".to_owned());
        }
        let rules = merge(rules)
            .map_err(|_| ": Unmatched parenthesis in selector definition.".to_owned())?;
        let mut user = User::new(name, all_channels);
        let mut wrong = String::new();
        for rule in rules {
            let rule = words::trim(&rule);
            if let Err(why) = user.apply(&self.commands, all_channels, rule) {
                let rule = String::from_utf8_lossy(rule);
                wrong += &format!(": Error in applying operation '{rule}': {why}. ");
            }
        }
        if wrong.is_empty() { Ok(user) } else { Err(wrong) }
    }

    /// Writes all users to a file, in place of what is in it.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let mut text = Vec::new();
        for user in self.users() {
            text.extend(b"user ");
            text.extend(user.describe());
            text.push(b'\n');
        }
        replace(path, &text).map_err(|error| {
            FileError(format!("Error writing ACLs to '{}': {}", path.display(), system(&error)))
        })
    }

    /// Takes the users of a configuration file, each the words behind `user`.
    pub fn configure(&self, users: &[Vec<Vec<u8>>], all_channels: bool) -> Result<(), FileError> {
        let shown = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        let mut seen = Vec::new();
        for words in users {
            let Some((name, rules)) = words.split_first() else { continue };
            let wrong = |why: &str| {
                Err(FileError(format!("Error in user declaration '{}': {why}", shown(name))))
            };
            if seen.contains(name) {
                return wrong(
                    "Duplicate user found. A user can only be defined once in config \
                              files",
                );
            }
            if has_spaces(name) {
                return wrong("User name contains invalid characters");
            }
            let Ok(rules) = merge(rules) else { return wrong("Unmatched parenthesis") };
            let anew = || User::new(name, all_channels);
            // `default`, who is there already, begins without rights as any other.
            let mut user = anew();
            for rule in rules {
                user.apply(&self.commands, all_channels, &rule).map_err(|why| {
                    FileError(format!(
                        "Error loading ACL rule '{}' for the user named '{}': {why}",
                        shown(&rule),
                        shown(name)
                    ))
                })?;
            }
            self.put(user);
            seen.push(name.clone());
        }
        Ok(())
    }
}
