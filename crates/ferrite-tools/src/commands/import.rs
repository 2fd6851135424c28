//! `ferrite-migrate import`: writes the keys of a file to a server, whatever kind of file it is.

use clap::{ArgMatches, Args, Command};
use ferrite_migrate::Input;

use super::import_rdb::{ImportArgs, prepare_with};
use super::{Job, Verb};
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "import", command, prepare };

fn command() -> Command {
    ImportArgs::augment_args(Command::new("import"))
        .about("Writes the keys of a file to a server; its first bytes tell what it is")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate import dump.rdb -t redis://new:6379
  ferrite-migrate import dump.rdb.gz -t redis://new:6379 --transform-keys 'old:{key}'
  ferrite-migrate import appendonlydir -t redis://new:6379

RDB files and JSON are known, plain or compressed with gzip, and append-only files with their
directories (`import-aof` has more options for those). Otherwise this is `import-rdb`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    prepare_with(matches, Input::any_file)
}
