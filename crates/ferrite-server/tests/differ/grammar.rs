//! Reads `grammar.txt`, and makes commands of it.

use ferrite_testkit::dataset::Random;

use crate::words;

const TEXT: &str = include_str!("grammar.txt");
/// How often `+` repeats at most, most of the time.
const FEW: u64 = 4;
/// The same when thresholds of encodings are to be crossed.
const MANY: u64 = 150;
/// One repetition of so many is a long one.
const MANY_OF: u64 = 12;

/// Words that calls with arbitrary words do not get: ids and expiries out of the clock, and what
/// has no meaning for a set with several scores.
const NOT_ANYWHERE: [&[u8]; 4] = [b"*", b"EX", b"PX", b"BYLEX"];

/// A part of a form.
#[derive(Debug)]
enum Part {
    Word(Vec<u8>),
    Hole(String),
    /// A hole with words around it, such as `{seconds}-*`.
    Joined(Vec<Part>),
    OneOf(Vec<Vec<Part>>),
    Maybe(Box<Part>),
    Many(Box<Part>),
}

/// All forms.
#[derive(Debug)]
pub struct Grammar {
    forms: Vec<Vec<Part>>,
    literals: Vec<Vec<u8>>,
}

impl Grammar {
    pub fn read() -> Self {
        let lines = TEXT.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let forms: Vec<Vec<Part>> = lines
            .map(|line| {
                let mut reader = Reader { rest: line };
                let mut all = reader.choices();
                assert!(reader.rest.is_empty() && all.len() == 1, "{line}: at {}", reader.rest);
                all.remove(0)
            })
            .collect();
        let mut literals = Vec::new();
        forms.iter().for_each(|form| collect(&form[1..], &mut literals));
        literals.retain(|word| word.len() < 16);
        literals.sort();
        literals.dedup();
        Self { forms, literals }
    }

    /// Whether a server that knows these commands knows the form's.
    pub fn retain(&mut self, known: impl Fn(&[u8]) -> bool) {
        self.forms.retain(|form| matches!(&form[0], Part::Word(name) if known(name)));
    }

    /// A command of any form.
    pub fn command(&self, random: &mut Random) -> Vec<Vec<u8>> {
        let form = &self.forms[random.below(self.forms.len() as u64) as usize];
        let mut words = Vec::new();
        form.iter().for_each(|part| part.fill(random, &mut words));
        words
    }

    /// Any option's name.
    pub fn literal(&self, random: &mut Random) -> Vec<u8> {
        self.literals[random.below(self.literals.len() as u64) as usize].clone()
    }
}

fn collect(parts: &[Part], literals: &mut Vec<Vec<u8>>) {
    for part in parts {
        match part {
            Part::Word(word) if !NOT_ANYWHERE.contains(&word.as_slice()) => {
                literals.push(word.clone())
            }
            Part::OneOf(all) => all.iter().for_each(|one| collect(one, literals)),
            Part::Maybe(part) | Part::Many(part) => {
                collect(std::slice::from_ref(&**part), literals);
            }
            _ => {}
        }
    }
}

impl Part {
    fn fill(&self, random: &mut Random, words: &mut Vec<Vec<u8>>) {
        match self {
            Part::Word(word) => words.push(word.clone()),
            Part::Hole(name) => words.push(words::word(name, random)),
            Part::Joined(parts) => {
                let mut pieces = Vec::new();
                parts.iter().for_each(|part| part.fill(random, &mut pieces));
                words.push(pieces.concat());
            }
            Part::OneOf(all) => {
                let one = &all[random.below(all.len() as u64) as usize];
                one.iter().for_each(|part| part.fill(random, words));
            }
            Part::Maybe(part) => {
                if random.below(3) == 0 {
                    part.fill(random, words);
                }
            }
            Part::Many(part) => {
                let most = if random.below(MANY_OF) == 0 { MANY } else { FEW };
                (0..=random.below(most)).for_each(|_| part.fill(random, words));
            }
        }
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn next_is(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn until(&mut self, ends: &[char]) -> String {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    /// Sequences with `|` between them, up to `)` or the end.
    fn choices(&mut self) -> Vec<Vec<Part>> {
        let mut all = vec![self.sequence()];
        while self.next_is('|') {
            all.push(self.sequence());
        }
        all
    }

    fn sequence(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() || self.rest.starts_with([')', '|']) {
                return parts;
            }
            parts.push(self.part());
        }
    }

    fn part(&mut self) -> Part {
        let part = if self.next_is('(') {
            let all = self.choices();
            assert!(self.next_is(')'), "a bracket is open before {}", self.rest);
            Part::OneOf(all)
        } else if self.next_is('"') {
            let word = self.until(&['"']);
            assert!(self.next_is('"'));
            Part::Word(word.into_bytes())
        } else if self.next_is('{') {
            let name = self.until(&['}']);
            assert!(self.next_is('}'));
            // A hole that does not exist is found here, not when it is first filled.
            words::word(&name, &mut Random::new(0));
            match self.rest.starts_with([' ', ')', '|', '?', '+']) || self.rest.is_empty() {
                true => Part::Hole(name),
                false => {
                    let tail = self.until(&[' ', ')', '|']);
                    Part::Joined(vec![Part::Hole(name), Part::Word(tail.into_bytes())])
                }
            }
        } else {
            return Part::Word(self.until(&[' ', ')', '|', '?']).into_bytes());
        };
        if self.next_is('?') {
            Part::Maybe(Box::new(part))
        } else if self.next_is('+') {
            Part::Many(Box::new(part))
        } else {
            part
        }
    }
}
