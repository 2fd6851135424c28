//! The program on a terminal of 80 columns, made by `script` (package bsdutils, which every Debian
//! has): what is drawn fits, and what stays is the report.

use std::process::{Command, Stdio};

use ferrite_testkit::{Direction, Proxy, Server};

use crate::command::{Running, program, until};
use crate::{empty, with_everything, with_keys};

const COLUMNS: usize = 80;

/// The program under a terminal. Both streams come out of one, with the terminal's own line ends.
fn on_terminal(args: &[&str]) -> Command {
    let mut command = Command::new("script");
    let words = args.iter().map(|word| format!(" '{word}'")).collect::<String>();
    let binary = program().get_program().to_string_lossy().into_owned();
    let shell = format!("stty cols {COLUMNS} rows 24 -echo; exec '{binary}'{words}");
    command.args(["-qefc", &shell, "-O", "/dev/null"]).stdin(Stdio::piped());
    command.env("TERM", "xterm").env("SHELL", "/bin/sh").env_remove("RUST_LOG");
    command.env_remove("NO_COLOR");
    command
}

/// What has been drawn: the lines that are left in the end, and every state a line was in.
#[derive(Default)]
struct Drawn {
    lines: Vec<String>,
    states: Vec<String>,
}

/// Follows the few sequences that a line at the bottom of a terminal needs; fails on others.
fn draw(output: &str) -> Drawn {
    let mut drawn = Drawn::default();
    let (mut line, mut at) = (Vec::new(), 0);
    let mut characters = output.chars();
    while let Some(character) = characters.next() {
        match character {
            '\n' => {
                drawn.keep_state(&line);
                drawn.lines.push(line.drain(..).collect::<String>().trim_end().to_owned());
                at = 0;
            }
            '\r' => {
                drawn.keep_state(&line);
                at = 0;
            }
            '\u{1b}' => {
                let sequence: String = sequence(&mut characters);
                match sequence.as_str() {
                    "[2K" => line.clear(),
                    "[K" | "[0K" => line.truncate(at),
                    _ => assert!(sequence.ends_with('m'), "unexpected sequence {sequence:?}"),
                }
            }
            _ => {
                line.resize(line.len().max(at + 1), ' ');
                line[at] = character;
                at += 1;
            }
        }
    }
    drawn.keep_state(&line);
    drawn.lines.push(line.into_iter().collect::<String>().trim_end().to_owned());
    drawn
}

fn sequence(characters: &mut impl Iterator<Item = char>) -> String {
    let mut sequence = String::new();
    for character in characters {
        sequence.push(character);
        if character.is_ascii_alphabetic() {
            break;
        }
    }
    sequence
}

impl Drawn {
    fn keep_state(&mut self, line: &[char]) {
        self.states.push(line.iter().collect());
    }

    /// The states in which the progress was shown.
    fn bars(&self) -> Vec<&str> {
        let is_bar = |state: &&str| {
            ["attaching", "copying", "verifying"].iter().any(|phase| state.starts_with(phase))
        };
        self.states.iter().map(String::as_str).filter(is_bar).collect()
    }
}

/// A slow copy, slow enough to draw a bar for each stage.
fn slow_copy(options: &[&str]) -> Drawn {
    let (source, target) = (with_keys(20_000), empty());
    let proxy = Proxy::start(source.addr()).unwrap();
    proxy.throttle(Some(4_000_000));
    let (from, to) = (proxy.url(), target.url());
    let args = [&["-s", &from, "-t", &to, "--verify"], options].concat();
    let running = Running::start_command(on_terminal(&args));
    until("half of the keys", || proxy.moved(Direction::ToClient) > 2_000_000);
    draw(&running.end().exits(0).stdout)
}

#[test]
fn the_bar_fits_and_the_report_stays() {
    for strategy in ["psync", "scan"] {
        let drawn = slow_copy(&["--strategy", strategy]);
        let bars = drawn.bars();
        for wanted in ["copying ━", "verifying ━", "% ", "ETA ", "/20.0k ", "MiB/s"] {
            assert!(bars.iter().any(|bar| bar.contains(wanted)), "no {wanted:?} in {bars:#?}");
        }
        for bar in &bars {
            assert!(bar.chars().count() <= COLUMNS, "{bar}");
        }
        let begin = drawn.lines.iter().position(|line| line.starts_with("═══")).expect("a report");
        let (before, report) = drawn.lines.split_at(begin);
        assert!(before.iter().all(|line| !line.contains('━')), "a bar is left: {before:#?}");
        assert!(report.iter().all(|line| !line.contains('━')), "a bar is left: {report:#?}");
        assert_eq!(report[1], "MIGRATION REPORT");
        let total = report.iter().find(|line| line.starts_with("total ")).expect("a total");
        assert!(total.contains("20,000"), "{total}");
        let last = report.iter().rev().find(|line| !line.is_empty()).expect("a result");
        assert_eq!(last, "RESULT: ✅ DONE AND VERIFIED (exit 0: every selected key is equal)");
    }
}

#[test]
fn a_line_said_meanwhile_stands_alone() {
    let (source, target) = (with_keys(20_000), empty());
    let proxy = Proxy::start(source.addr()).unwrap();
    proxy.throttle(Some(2_000_000));
    let (from, to) = (proxy.url(), target.url());
    let mut running = Running::start_command(on_terminal(&["-s", &from, "-t", &to]));
    until("a quarter of the keys", || proxy.moved(Direction::ToClient) > 1_000_000);
    // Ctrl-C as the terminal gets it from its keyboard.
    running.types("\u{3}");
    let drawn = draw(&running.end().exits(130).stdout);
    assert!(!drawn.bars().is_empty(), "the bar was there before");
    let is_whole = |line: &&String| *line == STOPPING;
    assert_eq!(drawn.lines.iter().filter(is_whole).count(), 1, "{:#?}", drawn.lines);
    assert!(drawn.lines.iter().all(|line| !line.contains('━')), "{:#?}", drawn.lines);
}

/// What is said after the first Ctrl-C.
const STOPPING: &str = "stopping: what is on its way still arrives; Ctrl-C again leaves at once";

#[test]
fn colors_are_for_terminals_that_want_them() {
    let (source, target) = (with_everything(Server::Redis70), empty());
    let (from, to) = (source.url(), target.url());
    let args = ["-s", &from, "-t", &to, "--on-conflict", "replace"];
    let colored = Running::start_command(on_terminal(&args)).end().exits(0);
    assert!(colored.stdout.contains("\u{1b}[32m"), "{:?}", colored.stdout);
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut command = on_terminal(&args);
        command.env(name, value);
        let plain = Running::start_command(command).end().exits(0);
        assert!(!plain.stdout.contains("m✅") && !plain.stdout.contains("[32m"), "{name}");
        assert!(plain.stdout.contains("RESULT: ✅ DONE"), "{name}: {}", plain.stdout);
    }
}
