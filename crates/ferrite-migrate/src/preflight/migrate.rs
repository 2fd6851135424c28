//! Whether the source can send its keys to the target itself, where that was asked for.

use super::Checked;
use crate::config::Config;
use crate::sources::redis_migrate::why_not;

/// Checks what both ends say of themselves. Whether the source reaches the target is seen when it
/// sends the first keys: there is no way to ask it.
pub async fn check(config: &Config, checked: &mut Checked) {
    if let Some(no) = why_not(config, checked) {
        checked.report.block("migrate", no.why, no.fix);
        return;
    }
    tls(config, checked).await;
    if let Some((host, port)) = config.migrates_to() {
        checked.report.ok("migrate", format!("the source is to reach the target at {host}:{port}"));
    }
}

/// The source decides by a setting of its own whether it speaks TLS.
async fn tls(config: &Config, checked: &mut Checked) {
    let told = checked.source.control.call(&["CONFIG", "GET", "tls-cluster"]).await;
    let told = told.ok().and_then(|pair| pair.as_array()?.get(1)?.as_str().map(str::to_owned));
    let speaks = told.as_deref().map(|value| value == "yes");
    let wanted = config.target.address.is_tls();
    match speaks {
        Some(speaks) if speaks == wanted => {}
        None if !wanted => {}
        None => checked.report.warn(
            "migrate",
            "whether the source speaks TLS with the target is not known: it does with tls-cluster yes",
            "see to it on the source",
        ),
        Some(speaks) => {
            let (does, needs) = if speaks { ("speaks", "does not") } else { ("does not speak", "does") };
            let value = if wanted { "yes" } else { "no" };
            checked.report.block(
                "migrate",
                format!("the source {does} TLS when it sends keys, the target's address {needs}"),
                format!("CONFIG SET tls-cluster {value} on the source, or choose another strategy"),
            );
        }
    }
}
