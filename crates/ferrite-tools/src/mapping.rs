//! The options that say which columns of a row, or fields of an object, become what of a key.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args};
use ferrite_migrate::{MAPPING_MAX, MappedType, Mapping, MappingOrigin, read_mapping};

use crate::term::error::Failure;

/// A mapping, in a file or by options.
#[derive(Args)]
#[command(next_help_heading = "Mapping")]
pub struct MappingArgs {
    /// A YAML file that says what the options below say, by their names
    #[arg(long, value_name = "FILE", conflicts_with_all = INSTEAD_OF_MAPPING)]
    mapping: Option<PathBuf>,
    /// The key, with columns in braces, such as 'user:{id}'
    #[arg(long, value_name = "TEMPLATE")]
    key: Option<String>,
    /// The columns that become fields of a hash, such as name,age; all unless told otherwise
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "key")]
    fields: Vec<String>,
    /// The column with the value of a string
    #[arg(long, value_name = "COLUMN", conflicts_with = "member", requires = "key")]
    value: Option<String>,
    /// The column with the element of a list, set or sorted set
    #[arg(long, value_name = "COLUMN", requires = "key")]
    member: Option<String>,
    /// The column with the score of a sorted set
    #[arg(long, value_name = "COLUMN", requires = "key")]
    score: Option<String>,
    /// The column with the seconds a key lives from now on; an empty one is for ever
    #[arg(long, value_name = "COLUMN", requires = "key")]
    ttl: Option<String>,
    /// The column that says until when: Unix time in seconds, or as 2026-11-21T03:00:00Z
    #[arg(long, value_name = "COLUMN", requires = "key")]
    expires_at: Option<String>,
}

/// What stands in a mapping's file where there is one; `types` is of the options about keys.
const INSTEAD_OF_MAPPING: [&str; 8] =
    ["key", "types", "fields", "value", "member", "score", "ttl", "expires_at"];

/// What a row becomes, by the name of the type.
pub const SHAPES: [(&str, MappedType); 5] = [
    ("hash", MappedType::Hash),
    ("string", MappedType::String),
    ("list", MappedType::List),
    ("set", MappedType::Set),
    ("zset", MappedType::Zset),
];

impl MappingArgs {
    /// The mapping, if there is one.
    ///
    /// # Errors
    /// A file that is none; a type that rows do not become.
    pub fn mapping(self, matches: &ArgMatches) -> Result<Option<Mapping>, Failure> {
        if let Some(file) = &self.mapping {
            return from_file(file).map(Some);
        }
        let Some(key) = self.key else { return Ok(None) };
        let fields = self.fields.into_iter().filter(|name| name != "*");
        Ok(Some(Mapping {
            key,
            shape: shape(matches)?,
            fields: fields.map(|name| (name.clone(), name)).collect(),
            value: self.value.or(self.member),
            score: self.score,
            ttl: self.ttl,
            expires_at: self.expires_at,
            delimiter: None,
            has_header: None,
            origin: MappingOrigin::default(),
        }))
    }
}

/// The failure to use a mapping.
pub fn unusable(why: String) -> Failure {
    Failure::usage("the mapping of columns", why)
}

/// What `--type` says of a mapping.
fn shape(matches: &ArgMatches) -> Result<MappedType, Failure> {
    let mut named = matches.get_many::<String>("types").into_iter().flatten();
    let Some(first) = named.next() else { return Ok(MappedType::Hash) };
    let known = SHAPES.iter().find(|(name, _)| name == first);
    match (known, named.next()) {
        (Some((_, shape)), None) => Ok(*shape),
        (_, Some(_)) => Err(unusable(String::from("--type: with --key there is one"))),
        (None, None) => {
            let names = SHAPES.map(|(name, _)| name).join(", ");
            Err(unusable(format!("--type: with --key it is one of {names}")))
        }
    }
}

fn from_file(file: &Path) -> Result<Mapping, Failure> {
    let name = file.display().to_string();
    let mut bytes = Vec::new();
    // One byte more tells that it is too long.
    let read =
        File::open(file).and_then(|it| it.take(MAPPING_MAX as u64 + 1).read_to_end(&mut bytes));
    let doing = "reading the mapping of columns";
    read.map_err(|error| Failure::usage(format!("{doing} {name}"), error.to_string()))?;
    read_mapping(&name, &bytes)
        .map_err(|why| Failure::usage(doing, why).with_hint("docs/csv.md has an example"))
}
