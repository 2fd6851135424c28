//! Arguments out of the text that describes them.
//!
//! ```text
//! WORD          stands as it is              name          a value
//! WORD name     a value behind its word      a|b           one of these
//! WORD name *   that once or more often
//! [ … ]         may be missing               x ...         once or more often
//! ( … )         all of these as one
//! ```

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// What it is called.
    pub name: String,
    /// The word before it; for a word by itself, the word.
    pub token: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Whether it may be missing.
    pub optional: bool,
    /// Whether it may be there more than once.
    pub multiple: bool,
    /// Whether its word stands before it each time.
    pub multiple_token: bool,
}

/// What an argument is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A value, by the name of its type.
    Value(&'static str),
    /// A word by itself.
    Word,
    /// One of these.
    OneOf(Vec<Argument>),
    /// All of these.
    Block(Vec<Argument>),
}

impl Kind {
    /// The name of the type in COMMAND DOCS.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Value(name) => name,
            Self::Word => "pure-token",
            Self::OneOf(_) => "oneof",
            Self::Block(_) => "block",
        }
    }
}

/// The type of a value, by its name.
fn value_kind(name: &str) -> &'static str {
    match name {
        "key" | "newkey" | "destkey" | "source" | "destination" | "sourcekey" | "storekey"
        | "storedistkey" | "key1" | "key2" | "dst" | "src" => "key",
        "pattern" => "pattern",
        "seconds" | "milliseconds" | "count" | "offset" | "start" | "stop" | "end" | "index"
        | "numkeys" | "numfields" | "bit" | "cursor" | "db" | "rank" | "limit" | "ttl" => "integer",
        "longitude" | "latitude" | "radius" | "width" | "height" | "score" | "weight" => "double",
        name if name.starts_with("unix-time") => "unix-time",
        _ => "string",
    }
}

fn value(name: &str) -> Argument {
    let kind = Kind::Value(value_kind(name));
    Argument {
        name: name.to_owned(),
        token: None,
        kind,
        optional: false,
        multiple: false,
        multiple_token: false,
    }
}

fn word(token: &str) -> Argument {
    let (name, token) = (token.to_lowercase(), Some(token.to_owned()));
    Argument {
        name,
        token,
        kind: Kind::Word,
        optional: false,
        multiple: false,
        multiple_token: false,
    }
}

/// Several arguments as one.
fn block(mut arguments: Vec<Argument>) -> Option<Argument> {
    match arguments.len() {
        0 => None,
        1 => arguments.pop(),
        _ => {
            let name = arguments.first()?.name.clone();
            let kind = Kind::Block(arguments);
            Some(Argument {
                name,
                token: None,
                kind,
                optional: false,
                multiple: false,
                multiple_token: false,
            })
        }
    }
}

/// The arguments that a text describes; nothing where it is not well formed.
pub fn parse(usage: &str) -> Option<Vec<Argument>> {
    let mut spaced = String::new();
    for letter in usage.chars() {
        match letter {
            '[' | ']' | '(' | ')' | '|' => spaced.extend([' ', letter, ' ']),
            letter => spaced.push(letter),
        }
    }
    let mut words = spaced.split_whitespace().peekable();
    let arguments = sequence(&mut words, 0)?;
    words.next().is_none().then_some(arguments)
}

/// How deep brackets may be.
const DEEPEST: usize = 8;

type Words<'t> = std::iter::Peekable<std::str::SplitWhitespace<'t>>;

/// What stands between brackets: alternatives are put together with what they are alternatives
/// of.
fn sequence(words: &mut Words<'_>, depth: usize) -> Option<Vec<Argument>> {
    if depth > DEEPEST {
        return None;
    }
    let mut done: Vec<Argument> = Vec::new();
    while let Some(&next) = words.peek() {
        if next == "]" || next == ")" {
            break;
        }
        words.next();
        match next {
            "..." => {
                done.last_mut()?.multiple = true;
            }
            "*" => {
                let last = done.last_mut()?;
                last.token.as_ref()?;
                (last.multiple, last.multiple_token) = (true, true);
            }
            "|" => {
                let first = done.pop()?;
                let second = element(words, depth)?;
                done.push(either(first, second));
            }
            other => {
                let argument = one(other, words, depth)?;
                done.push(argument);
            }
        }
    }
    Some(done)
}

fn element(words: &mut Words<'_>, depth: usize) -> Option<Argument> {
    let next = words.next()?;
    one(next, words, depth)
}

/// One argument that begins with a word of the text.
fn one(first: &str, words: &mut Words<'_>, depth: usize) -> Option<Argument> {
    if first == "[" || first == "(" {
        let inner = sequence(words, depth + 1)?;
        words.next().filter(|close| (*close == "]") == (first == "["))?;
        let mut argument = block(inner)?;
        argument.optional |= first == "[";
        return Some(argument);
    }
    if !is_token(first) {
        return Some(value(first));
    }
    let mut values = Vec::new();
    while let Some(name) = words.next_if(|next| is_name(next)) {
        values.push(value(name));
    }
    match values.as_mut_slice() {
        [] => Some(word(first)),
        [_] => {
            let mut only = values.pop()?;
            only.token = Some(first.to_owned());
            Some(only)
        }
        _ => {
            let mut all = block(values)?;
            all.token = Some(first.to_owned());
            Some(all)
        }
    }
}

/// A word that stands as it is: without small letters.
fn is_token(word: &str) -> bool {
    !word.contains(|letter: char| letter.is_ascii_lowercase())
}

fn is_name(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_ascii_lowercase())
}

fn either(first: Argument, second: Argument) -> Argument {
    if let Kind::OneOf(mut choices) = first.kind {
        choices.push(second);
        return Argument { kind: Kind::OneOf(choices), ..first };
    }
    let name = first.name.clone();
    let kind = Kind::OneOf(vec![first, second]);
    Argument { name, token: None, kind, optional: false, multiple: false, multiple_token: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(arguments: &[Argument]) -> String {
        let one = |it: &Argument| {
            let inner = match &it.kind {
                Kind::OneOf(inner) | Kind::Block(inner) => format!("({})", shown(inner)),
                Kind::Value(_) | Kind::Word => String::new(),
            };
            let token = it.token.as_deref().map(|token| format!("{token}:")).unwrap_or_default();
            let marks = [(it.optional, "?"), (it.multiple, "+"), (it.multiple_token, "*")];
            let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            format!("{token}{}{inner}{marks}", it.kind.name())
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn arguments_are_read_as_they_are_written() {
        let cases = [
            ("", ""),
            ("key value", "key string"),
            ("key ...", "key+"),
            ("key (field value) ...", "key block(string string)+"),
            (
                "(host port)|(NO ONE)",
                "oneof(block(string string) block(NO:pure-token ONE:pure-token))",
            ),
            ("[COUNT count]", "COUNT:integer?"),
            ("[NX|XX] key", "oneof(NX:pure-token XX:pure-token)? key"),
            ("[EX seconds|KEEPTTL]", "oneof(EX:integer KEEPTTL:pure-token)?"),
            ("numkeys [key ...]", "integer key?+"),
            ("[GET pattern *]", "GET:pattern?+*"),
            ("AUTH user password", "AUTH:block(string string)"),
        ];
        for (usage, expected) in cases {
            assert_eq!(shown(&parse(usage).unwrap()), expected, "{usage}");
        }
        for wrong in ["key *", "[key", "key]", "(key]", "...", "| a", "a |", "[]"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
