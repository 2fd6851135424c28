//! Functions fit on a screen: 70 lines from signature to closing brace. What was longer once
//! stands in [`EXCEPTIONS`] with its length; entries may shrink or go, never grow or come.

use super::Report;
use crate::repository::{File, Repository};
use crate::rust::{item_end, line_of};

const MAX_LINES: usize = 70;

/// Path, function, lines.
const EXCEPTIONS: &[(&str, &str, usize)] = &[];

pub fn check(repository: &Repository, report: &mut Report) {
    for file in repository.rust_files() {
        functions(file).for_each(|function| check_function(&file.path, &function, report));
    }
    for (path, name, _) in EXCEPTIONS {
        let file = repository.files.iter().find(|file| file.path == *path);
        let long = file.into_iter().flat_map(functions);
        if !long.into_iter().any(|it| it.name == *name && it.lines > MAX_LINES) {
            report.fail("xtask/src/tidy/function_length.rs", 0, format!("take out {path} {name}"));
        }
    }
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

fn check_function(path: &str, function: &Function, report: &mut Report) {
    let known = EXCEPTIONS.iter().find(|(file, name, _)| *file == path && *name == function.name);
    let allowed = known.map_or(MAX_LINES, |(_, _, lines)| *lines);
    if function.lines > allowed {
        let Function { name, lines, .. } = function;
        let advice = format!("{name} has {lines} lines, {allowed} allowed: name its steps");
        report.fail(path, function.line, advice);
    }
}

/// The functions of a file that have a body.
fn functions(file: &File) -> impl Iterator<Item = Function> {
    let code = &file.code;
    code.match_indices("fn ").filter_map(|(at, _)| {
        let before = code.get(..at)?.chars().next_back();
        let name: String = code.get(at + 3..)?.chars().take_while(|c| is_name(*c)).collect();
        if name.is_empty() || before.is_some_and(is_name) {
            return None;
        }
        let end = item_end(code, at);
        let line = line_of(code, at);
        Some(Function { name, line, lines: line_of(code, end) + 1 - line })
    })
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::failing;

    fn function(lines: usize) -> String {
        format!("fn long(a: [u8; 3]) -> Vec<u8> {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_long_function_fails_where_it_starts() {
        assert!(failing(check, &[("a.rs", &function(MAX_LINES))]).is_empty());
        let text = format!("//! A.\n{}", function(MAX_LINES + 1));
        assert_eq!(failing(check, &[("a.rs", &text)]), [("a.rs".to_owned(), 2)]);
    }

    #[test]
    fn declarations_and_pointers_are_no_functions() {
        let text = format!("trait A {{\n    fn a(&self);\n{}}}\n", "\n".repeat(100));
        assert!(failing(check, &[("a.rs", &text)]).is_empty());
        assert_eq!(functions(&File::new("a.rs", "type F = fn (u8);")).count(), 0);
    }
}
