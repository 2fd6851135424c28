//! Other names for keys, by a template such as `old:{key}`.

use std::str::FromStr;

/// What stands for the name that a key had.
const KEY: &str = "{key}";

/// A template for names: text around the name that a key had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl KeyTemplate {
    /// Writes the new name of a key into `out`, over what is there.
    pub fn apply(&self, key: &[u8], out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.before);
        out.extend_from_slice(key);
        out.extend_from_slice(&self.after);
    }
}

impl FromStr for KeyTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(KEY) {
            Some((before, after)) if !after.contains(KEY) => {
                Ok(Self { before: before.as_bytes().to_vec(), after: after.as_bytes().to_vec() })
            }
            _ => Err(String::from(
                "a template has {key} once, where the old name goes, such as `old:{key}`: without \
                 it all keys would get one name",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_name_is_in_the_new_one() {
        let mut out = b"before".to_vec();
        for (template, expected) in [
            ("p:{key}", "p:a{b}"),
            ("{{key}}", "{a{b}}"),
            ("{key}", "a{b}"),
            ("{key}:{k}", "a{b}:{k}"),
        ] {
            template.parse::<KeyTemplate>().unwrap().apply(b"a{b}", &mut out);
            assert_eq!(out, expected.as_bytes(), "{template}");
        }
        for template in ["", "key", "{k}", "{key}{key}"] {
            assert!(template.parse::<KeyTemplate>().is_err(), "{template}");
        }
    }
}
