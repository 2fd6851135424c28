//! The commands that rules speak of: those this server has, each with a number.

use std::collections::HashMap;

use ferrite_commands::{Category, Command};

/// How many commands can be told apart. The last number stands for commands that do not exist
/// yet: it is set where everything was allowed.
pub(super) const CAPACITY: usize = 1024;

/// The number of the commands of the future.
pub(super) const FUTURE: CommandId = CommandId(CAPACITY as u16 - 1);

/// A command's number, to be kept where commands are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandId(pub(super) u16);

/// Categories of commands that this version does not have.
const UNKNOWN_CATEGORIES: &[Category] = &[Category::Array];

/// The commands of one server.
#[derive(Debug)]
pub struct Commands {
    all: Vec<&'static Command>,
    ids: HashMap<&'static str, CommandId>,
}

impl Commands {
    /// Of the whole catalogue those that `known` says this server has, subcommands included.
    pub fn new(known: impl Fn(&Command) -> bool) -> Self {
        let with_subcommands =
            ferrite_commands::all().flat_map(|it| std::iter::once(it).chain(it.subcommands));
        let all: Vec<_> = with_subcommands.filter(|it| known(it)).take(CAPACITY - 1).collect();
        let number = |(at, it): (usize, &&'static Command)| (it.name, CommandId(at as u16));
        let ids = all.iter().enumerate().map(number).collect();
        Self { all, ids }
    }

    /// The number of a command of this server.
    pub fn id(&self, command: &Command) -> Option<CommandId> {
        self.ids.get(command.name).copied()
    }

    /// A command by its full name in any case, `config|get`.
    pub(super) fn find(&self, name: &[u8]) -> Option<(&'static Command, CommandId)> {
        let command = ferrite_commands::lookup(name)?;
        Some((command, self.id(command)?))
    }

    /// A command's subcommands of this server.
    pub(super) fn subcommands(&self, command: &'static Command) -> impl Iterator<Item = CommandId> {
        command.subcommands.iter().filter_map(|subcommand| self.id(subcommand))
    }

    /// Whether the command has subcommands here.
    pub(super) fn is_container(&self, command: &'static Command) -> bool {
        self.subcommands(command).next().is_some()
    }

    /// The commands of a category by name, subcommands behind their containers.
    pub fn in_category(&self, category: Category) -> impl Iterator<Item = &'static Command> {
        self.all.iter().copied().filter(move |it| it.categories().contains(category))
    }

    /// A category by its name without the `@`, in any case.
    pub fn category(name: &[u8]) -> Option<Category> {
        Self::categories().find(|category| category.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// All categories.
    pub fn categories() -> impl Iterator<Item = Category> {
        Category::ALL.iter().copied().filter(|it| !UNKNOWN_CATEGORIES.contains(it))
    }
}

/// A set of commands, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandSet([u64; CAPACITY / 64]);

impl CommandSet {
    pub const NONE: Self = Self([0; CAPACITY / 64]);
    pub const ALL: Self = Self([u64::MAX; CAPACITY / 64]);

    pub fn contains(&self, CommandId(id): CommandId) -> bool {
        self.0.get(usize::from(id / 64)).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }

    pub fn put(&mut self, CommandId(id): CommandId, allowed: bool) {
        if let Some(word) = self.0.get_mut(usize::from(id / 64)) {
            let bit = 1 << (id % 64);
            *word = if allowed { *word | bit } else { *word & !bit };
        }
    }
}
