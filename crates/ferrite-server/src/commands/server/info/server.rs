//! INFO: the process and its clients.

use std::sync::atomic::Ordering;

use super::line;
use crate::commands::REDIS_VERSION;
use crate::ctx::Ctx;
use crate::dispatch::block::Waiting;

pub(super) fn server(ctx: &Ctx<'_>, text: &mut String) {
    let config = &ctx.shared.config;
    let up = ctx.shared.started.elapsed().as_secs();
    line(text, "redis_version", REDIS_VERSION);
    line(text, "redis_git_sha1", "00000000");
    line(text, "redis_git_dirty", 0);
    line(text, "redis_build_id", 0);
    line(text, "redis_mode", "standalone");
    line(text, "ferrite_version", env!("CARGO_PKG_VERSION"));
    let told = |what: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/{what}"));
        text.unwrap_or_default().trim().to_owned()
    };
    let (name, release, machine) = (told("ostype"), told("osrelease"), std::env::consts::ARCH);
    line(text, "os", format!("{name} {release} {machine}"));
    line(text, "arch_bits", usize::BITS);
    line(text, "monotonic_clock", "POSIX clock_gettime");
    line(text, "multiplexing_api", "epoll");
    line(text, "atomicvar_api", "c11-builtin");
    line(text, "process_id", std::process::id());
    line(text, "process_supervised", "no");
    line(text, "run_id", &ctx.shared.run_id);
    let port = match config.network.port.get() {
        0 => config.tls.port.get(),
        port => port,
    };
    line(text, "tcp_port", port);
    line(text, "server_time_usec", ctx.now * 1000);
    line(text, "uptime_in_seconds", up);
    line(text, "uptime_in_days", up / 86_400);
    line(text, "hz", config.general.hz.get());
    line(text, "configured_hz", config.general.hz.get());
    line(text, "lru_clock", (ctx.now / 1000) & 0xff_ffff);
    let executable = std::fs::read_link("/proc/self/exe").map(|path| path.display().to_string());
    line(text, "executable", executable.unwrap_or_default());
    let file = config.path().map(|path| path.display().to_string());
    line(text, "config_file", file.unwrap_or_default());
    line(text, "io_threads_active", u8::from(ctx.shared.mailboxes.len() > 1));
}

pub(super) fn clients(ctx: &Ctx<'_>, text: &mut String) {
    let all = ctx.shared.clients.all();
    let count = |of: &dyn Fn(&crate::clients::Client) -> bool| {
        all.iter().filter(|client| of(client)).count()
    };
    let most = |of: fn(&crate::clients::Client) -> usize| all.iter().map(|one| of(one)).max();
    let replicas = ctx.shared.replicas.all().len();
    line(text, "connected_clients", all.len().saturating_sub(replicas));
    line(text, "cluster_connections", 0);
    line(text, "maxclients", ctx.shared.config.clients.maxclients.get());
    let input = most(|client| client.input.load(Ordering::Relaxed));
    line(text, "client_recent_max_input_buffer", input.unwrap_or(0));
    let output = most(|client| client.output.load(Ordering::Relaxed));
    line(text, "client_recent_max_output_buffer", output.unwrap_or(0));
    line(text, "blocked_clients", count(&|client| client.is_blocked()));
    line(text, "tracking_clients", ctx.shared.tracking.clients());
    line(text, "pubsub_clients", count(&|client| client.subscribed() > 0));
    line(text, "clients_in_timeout_table", count(&|client| client.is_timed()));
    let waiting = || ctx.held.shards().map(|shard| &shard.waiting);
    let for_groups: usize = waiting().map(Waiting::keys_of_groups).sum();
    line(text, "total_blocking_keys", waiting().map(Waiting::len).sum::<usize>());
    line(text, "total_blocking_keys_on_nokey", for_groups);
}
