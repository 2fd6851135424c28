//! The first line of a library: `#!lua name=<name>`.

use ferrite_resp::request::split_words;

/// What is wrong with a name.
pub(super) const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether this may be the name of a library or a function.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The library's name, and what is to be compiled: the text with an empty line in place of the
/// first, so that lines keep their numbers.
pub(super) fn split(code: &[u8]) -> Result<(String, Vec<u8>), String> {
    if !code.starts_with(b"#!") {
        return Err("ERR Missing library metadata".to_owned());
    }
    let Some(end) = code.iter().position(|byte| *byte == b'\n') else {
        return Err("ERR Invalid library metadata".to_owned());
    };
    let (line, body) = code.split_at(end);
    let words = split_words(line).ok_or("ERR Invalid library metadata")?;
    let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
    let engine = words.first().and_then(|word| word.strip_prefix("#!")).unwrap_or_default();
    let mut name = None;
    for word in words.iter().skip(1) {
        let Some(value) = word.strip_prefix("name=") else {
            return Err(format!("ERR Invalid metadata value given: {word}"));
        };
        if name.replace(value).is_some() {
            let text = "ERR Invalid metadata value, name argument was given multiple times";
            return Err(text.to_owned());
        }
    }
    let Some(name) = name else { return Err("ERR Library name was not given".to_owned()) };
    if !is_name(name) {
        return Err(format!("ERR {BAD_NAME}"));
    }
    if !engine.eq_ignore_ascii_case("lua") {
        return Err(format!("ERR Engine '{engine}' not found"));
    }
    Ok((name.to_owned(), body.to_vec()))
}
