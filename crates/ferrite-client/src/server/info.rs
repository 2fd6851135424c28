//! The text of `INFO`.
//!
//! ```text
//! # Keyspace\r\n
//! db0:keys=2,expires=1,avg_ttl=3600000\r\n
//! ```

use std::collections::{BTreeMap, HashMap};

use ferrite_resp::Value;

use super::{Keyspace, Module};

/// Lines of one `INFO` that are read; servers send a few hundred.
const MAX_LINES: usize = 100_000;

/// Names and values, as the server wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    fields: HashMap<String, String>,
    modules: Vec<Module>,
}

impl Info {
    /// Reads the text of `INFO`; lines that are not `name:value` are passed over.
    pub fn parse(text: &[u8]) -> Self {
        let mut info = Self::default();
        for line in String::from_utf8_lossy(text).lines().take(MAX_LINES) {
            let Some((name, value)) = line.trim_end().split_once(':') else { continue };
            if name == "module" {
                let parts = parts(value);
                let part = |name| parts.get(name).copied().unwrap_or_default().to_owned();
                info.modules.push(Module { name: part("name"), version: part("ver") });
            } else if !name.starts_with('#') {
                info.fields.insert(name.to_owned(), value.to_owned());
            }
        }
        info
    }

    /// The little that `HELLO` tells, under the names `INFO` uses.
    pub(super) fn from_hello(hello: Value) -> Self {
        let mut info = Self::default();
        for (name, value) in hello.into_pairs().unwrap_or_default() {
            let (Some(name), Some(value)) = (name.as_str(), value.as_str()) else { continue };
            let name = match name {
                "server" => "server_name",
                "version" => "server_version",
                "mode" => "redis_mode",
                "role" => "role",
                _ => continue,
            };
            info.fields.insert(name.to_owned(), value.to_owned());
        }
        if info.get("redis_mode") == Some("cluster") {
            info.fields.insert("cluster_enabled".to_owned(), "1".to_owned());
        }
        info
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// The value of a field that is a whole number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(|value| value.parse().ok())
    }

    /// Adds to a field that is a whole number, where it is there.
    pub(super) fn add(&mut self, name: &str, more: Option<u64>) {
        if let (Some(number), Some(more)) = (self.number(name), more) {
            self.fields.insert(name.to_owned(), number.saturating_add(more).to_string());
        }
    }

    /// Whether a field is `1`.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("1")
    }

    /// Whether the server said nothing.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(super) fn modules(&self) -> &[Module] {
        &self.modules
    }

    pub(super) fn keyspace(&self) -> BTreeMap<u32, Keyspace> {
        let database = |(name, value): (&String, &String)| {
            let number = name.strip_prefix("db")?.parse().ok()?;
            let parts = parts(value);
            let part = |name| parts.get(name).and_then(|value| value.parse().ok());
            let keys = part("keys")?;
            let expires = part("expires").unwrap_or(0);
            let average_ttl = part("avg_ttl").unwrap_or(0);
            Some((number, Keyspace { keys, expires, average_ttl }))
        };
        self.fields.iter().filter_map(database).collect()
    }
}

/// `a=1,b=2`
fn parts(value: &str) -> HashMap<&str, &str> {
    value.split(',').filter_map(|part| part.split_once('=')).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Family, Role, ServerInfo, Version};
    use super::*;

    fn told(text: &str) -> ServerInfo {
        ServerInfo::from_info(Info::parse(text.as_bytes()))
    }

    #[test]
    fn families_are_told_apart() {
        let cases = [
            ("redis_version:7.0.15\r\n", Family::Redis, Version::new(7, 0, 15)),
            (
                "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n",
                Family::Valkey,
                Version::new(8, 1, 0),
            ),
            ("redis_version:6.3.4\r\nmvcc_depth:0\r\n", Family::KeyDb, Version::new(6, 3, 4)),
            (
                "redis_version:7.4.0\r\ndragonfly_version:df-v1.27.1\r\n",
                Family::Dragonfly,
                Version::new(1, 27, 1),
            ),
            (
                "redis_version:7.2.4\r\nserver_name:ferrite\r\nferrite_version:0.1.0\r\n",
                Family::Ferrite,
                Version::new(0, 1, 0),
            ),
            ("", Family::Unknown, Version::default()),
            ("garbage\r\n:\r\né", Family::Unknown, Version::default()),
        ];
        for (text, family, version) in cases {
            let server = told(text);
            assert_eq!((server.family, server.version), (family, version), "{text}");
        }
    }

    #[test]
    fn keyspace_and_modules_are_read() {
        let server = told(
            "# Modules\r\nmodule:name=ReJSON,ver=20006,api=1\r\nmodule:name=bf,ver=2\r\n\
             # Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=36\r\ndb11:keys=5,subexpiry=0\r\n\
             dbx:keys=1\r\n",
        );
        assert_eq!(server.modules.len(), 2);
        assert_eq!(server.modules[0], Module { name: "ReJSON".into(), version: "20006".into() });
        assert_eq!(server.keyspace[&0], Keyspace { keys: 2, expires: 1, average_ttl: 36 });
        assert_eq!((server.keyspace.len(), server.keys()), (2, 7));
    }

    #[test]
    fn missing_fields_are_unknown_not_wrong() {
        let server = told("used_memory:notanumber\r\n");
        assert_eq!((server.used_memory, server.role), (None, Role::Unknown));
        assert_eq!((server.loading, server.master_link_up), (false, None));
    }

    #[test]
    fn hello_is_a_substitute() {
        let text = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        let hello = ["server", "valkey", "version", "8.1.0", "mode", "cluster", "role", "master"];
        let info = Info::from_hello(Value::Array(hello.map(text).to_vec()));
        let server = ServerInfo::from_info(info);
        assert_eq!((server.family, server.version), (Family::Valkey, Version::new(8, 1, 0)));
        assert_eq!((server.role, server.cluster_enabled), (Role::Master, true));
    }
}
