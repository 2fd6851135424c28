//! Whether the source can send its keys to the target by itself, as far as both say what they are.

use ferrite_rdb::Dialect;

use crate::config::{Config, unreachable_from_source};
use crate::preflight::Checked;

/// Why it cannot be, and what to do instead.
pub struct WhyNot {
    /// The reason.
    pub why: String,
    /// The way out.
    pub fix: String,
}

/// What to choose where values have to be re-encoded or left out.
const ELSE: &str = "choose --strategy psync or scan, which re-encode values";

/// Why the source cannot send its keys to the target; `None` if nothing speaks against it.
#[must_use]
pub fn why_not(config: &Config, checked: &Checked) -> Option<WhyNot> {
    let (source, target) = (&checked.source, &checked.target);
    let told = |why: String, fix: &str| Some(WhyNot { why, fix: fix.to_owned() });
    if let Some(why) = unreachable_from_source(config) {
        return told(why, "tell how the source reaches it: --migrate-target HOST:PORT");
    }
    let (from, to) = (source.dump_format(), target.values());
    let is_known = |dialect: Dialect| matches!(dialect, Dialect::Redis | Dialect::Valkey);
    let fits = is_known(from.dialect) && is_known(to.format.dialect);
    if !fits || !to.accepts_version(from.version) {
        let (ours, theirs) = (source.describe(), target.describe());
        return told(format!("{theirs} does not read what {ours} sends ({from})"), ELSE);
    }
    let lacks = |name: &str| !target.info.modules.iter().any(|module| module.name == name);
    if let Some(module) = source.info.modules.iter().find(|module| lacks(&module.name)) {
        let name = module.name.escape_default();
        return told(format!("the target has not got the source's module {name}"), ELSE);
    }
    if config.target.address.username().is_some() && !source.is_at_least(6, 0) {
        let why = "the source cannot give a user's name to the target: that came with Redis 6.0";
        return told(why.to_owned(), "give a target address with the password alone");
    }
    if !checked.restore {
        let fix = "ACL SETUSER <user> +restore on the target";
        return told(String::from("the target refuses RESTORE, which MIGRATE needs"), fix);
    }
    None
}
