//! The form of `ferrite.toml`: a table for each section, a key for each parameter.
//!
//! ```toml
//! [memory]
//! maxmemory = "2gb"
//! maxmemory_policy = "allkeys-lru"
//!
//! [persistence.rdb]
//! save = ["3600 1", "300 100"]
//! ```

use toml_edit::{Document, DocumentMut, Item, Table, Value};

use super::error::LoadError;
use super::load::Start;
use super::setting::{Origin, Setting};
use super::spec::Effect;
use super::{Config, words};

/// Where the users stand, each a string in the form of a `user` directive.
const USERS: &str = "security.users";

/// Takes every key of a document.
pub(super) fn load(start: &mut Start, text: &[u8]) -> Result<(), LoadError> {
    let wrong = |number, text: &str, why: String| LoadError::Line {
        number,
        text: text.trim().to_owned(),
        why,
    };
    let text =
        std::str::from_utf8(text).map_err(|_| wrong(1, "", "the file is not UTF-8".to_owned()))?;
    let line_of = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        let number = before.matches('\n').count() + 1;
        (number, text.lines().nth(number - 1).unwrap_or_default())
    };
    let document = Document::parse(text).map_err(|error| {
        let (number, line) = line_of(error.span().map_or(0, |span| span.start));
        wrong(number, line, error.message().trim().to_owned())
    })?;
    let mut keys = Vec::new();
    leaves(document.as_table(), "", &mut keys);
    for (path, value, at) in keys {
        take(start, &path, value).map_err(|why| {
            let (number, line) = line_of(at);
            wrong(number, line, why)
        })?;
    }
    Ok(())
}

/// Every key below a table that is none itself, with its path and its place in the text.
fn leaves<'a>(table: &'a Table, prefix: &str, found: &mut Vec<(String, &'a Value, usize)>) {
    for (key, item) in table.iter() {
        let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        match item {
            Item::Table(table) => leaves(table, &path, found),
            Item::Value(value) => {
                let at = table.key(key).and_then(|key| key.span()).map_or(0, |span| span.start);
                found.push((path, value, at));
            }
            Item::None | Item::ArrayOfTables(_) => {}
        }
    }
}

fn take(start: &mut Start, path: &str, value: &Value) -> Result<(), String> {
    if path == USERS {
        for words in lines(value)? {
            start.users.push(words);
        }
        return Ok(());
    }
    let setting = at(&start.config, path).ok_or_else(|| unknown(&start.config, path))?;
    let words = match setting.spec().takes_words() {
        true => lines(value)?.concat(),
        false => vec![word(value).ok_or("a single value is wanted here")?],
    };
    let words = if words.is_empty() { vec![Vec::new()] } else { words };
    setting.store(&setting.check(&words, Origin::Start { again: false })?);
    Ok(())
}

/// The parameter at a path.
fn at<'a>(config: &'a Config, path: &str) -> Option<&'a dyn Setting> {
    config.settings().into_iter().find(|setting| setting.spec().path() == path)
}

fn unknown(config: &Config, path: &str) -> String {
    let key = path.rsplit('.').next().unwrap_or(path).replace('_', "-");
    match config.find(key.as_bytes()) {
        Some(setting) => format!("no such key; it is {}", setting.spec().path()),
        None => "no such key; `ferrite init` writes a file with all of them".to_owned(),
    }
}

/// One value as a word of `redis.conf`.
fn word(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.value().clone().into_bytes()),
        Value::Integer(number) => Some(number.value().to_string().into_bytes()),
        Value::Float(number) => Some(number.value().to_string().into_bytes()),
        Value::Boolean(yes) => Some(if *yes.value() { b"yes".to_vec() } else { b"no".to_vec() }),
        Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_) => None,
    }
}

/// The words of a value that may be an array, each element a line.
fn lines(value: &Value) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let elements: Vec<&Value> = match value {
        Value::Array(array) => array.iter().collect(),
        single => vec![single],
    };
    let split = |element: &Value| {
        let text = word(element).ok_or("a text or a list of texts is wanted here")?;
        words::split(&text).ok_or("quotes are not closed")
    };
    elements.into_iter().map(|element| split(element).map_err(str::to_owned)).collect()
}

/// A document with every parameter, each with what it is and its default, all of them comments:
/// what `ferrite init` writes.
pub(super) fn template(config: &Config) -> String {
    let mut text = "# Every parameter of Ferrite with its default. Take the # away to set one.\n\
                    # `ferrite --config <this file>` starts the server with it.\n"
        .to_owned();
    let mut section = "";
    for setting in config.settings() {
        let spec = setting.spec();
        let path = spec.path();
        let key = path.strip_prefix(spec.section).and_then(|key| key.strip_prefix('.'));
        let Some(key) = key.filter(|_| !spec.hidden) else { continue };
        if spec.section != section {
            section = spec.section;
            text += &format!("\n[{section}]\n");
        }
        text += &format!("\n#{}\n", spec.doc);
        match spec.effect {
            Effect::Acts => {}
            Effect::Stored(why) => text += &format!("# Without effect: {why}.\n"),
            Effect::Only { why, .. } => text += &format!("# Fixed: {why}.\n"),
        }
        // The folder's default is wherever the server is started.
        let value = if spec.name == "dir" { Value::from(".") } else { value(setting) };
        text += &format!("#{key} = {value}\n");
    }
    text
}

/// A document with the values of now: its comments and its order stay, keys that differ from
/// their defaults are added.
pub(super) fn rewrite(config: &Config, text: &str, users: &[Vec<u8>]) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    for setting in config.settings() {
        let path = setting.spec().path();
        let value = value(setting);
        place(document.as_table_mut(), &path, value, !setting.is_default());
    }
    let users: Vec<String> =
        users.iter().map(|user| String::from_utf8_lossy(user).into_owned()).collect();
    let listed = Value::from_iter(users.iter().map(String::as_str));
    place(document.as_table_mut(), USERS, listed, !users.is_empty());
    Ok(document.to_string())
}

/// A setting's value as TOML.
fn value(setting: &dyn Setting) -> Value {
    let texts: Vec<String> = setting
        .lines()
        .iter()
        .map(|line| {
            let plain = words::split(line).filter(|words| words.len() <= 1);
            let plain = plain.map(|words| words.concat());
            String::from_utf8_lossy(&plain.unwrap_or_else(|| line.clone())).into_owned()
        })
        .collect();
    match texts.as_slice() {
        [only] if only == "yes" => Value::from(true),
        [only] if only == "no" => Value::from(false),
        [only] => match only.parse::<i64>() {
            Ok(number) if only == &number.to_string() => Value::from(number),
            _ => Value::from(only.as_str()),
        },
        several => Value::from_iter(several.iter().map(String::as_str)),
    }
}

/// Puts a value at a path: in place of the one there, or, when it is to be added, as a new key.
fn place(root: &mut Table, path: &str, value: Value, add: bool) {
    let mut table = root;
    let (tables, key) = path.rsplit_once('.').unwrap_or(("", path));
    for name in tables.split('.').filter(|name| !name.is_empty()) {
        if !add && !table.contains_key(name) {
            return;
        }
        let item = table.entry(name).or_insert_with(|| {
            let mut new = Table::new();
            new.set_implicit(true);
            Item::Table(new)
        });
        match item.as_table_mut() {
            Some(inner) => table = inner,
            None => return,
        }
    }
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
        None if add => {
            table.insert(key, Item::Value(value));
        }
        None => {}
    }
}
