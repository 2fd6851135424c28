//! INFO: replicas and the log.

use std::sync::atomic::Ordering;

use super::line;
use crate::ctx::Ctx;

pub(super) fn replication(ctx: &Ctx<'_>, text: &mut String) {
    let replicas = ctx.shared.replicas.all();
    line(text, "role", "master");
    line(text, "connected_slaves", replicas.len());
    if ctx.shared.config.replication.min_replicas_to_write.get() > 0 {
        line(text, "min_slaves_good_slaves", ctx.shared.replicas.good(ctx.now));
    }
    for (number, replica) in replicas.iter().enumerate() {
        let online = replica.online.load(Ordering::Relaxed);
        // Nothing of the kind is known of one whose link has just ended.
        let heard = Some(replica.heard.load(Ordering::Relaxed)).filter(|heard| *heard > 0);
        let lag = heard.map_or(0, |heard| (ctx.now - heard).max(0) / 1000);
        let state = if online { "online" } else { "wait_bgsave" };
        let (address, port) = (replica.address(), replica.introduction.port);
        let offset = replica.acknowledged();
        let value = format!("ip={address},port={port},state={state},offset={offset},lag={lag}");
        line(text, &format!("slave{number}"), value);
    }
    let log = &ctx.shared.log;
    line(text, "master_failover_state", "no-failover");
    line(text, "master_replid", &log.id);
    line(text, "master_replid2", "0".repeat(40));
    line(text, "master_repl_offset", log.offset());
    line(text, "second_repl_offset", -1);
    line(text, "repl_backlog_active", u8::from(log.is_listening()));
    line(text, "repl_backlog_size", log.backlog.load(Ordering::Relaxed));
    let (first, kept) = if log.is_listening() { log.kept() } else { (0, 0) };
    line(text, "repl_backlog_first_byte_offset", if kept > 0 { first + 1 } else { 0 });
    line(text, "repl_backlog_histlen", kept);
}
