//! Copies one server to another with the Rust interface and compares both.
//!
//! ```sh
//! cargo run -p ferrite-migrate --example copy redis://old:6379 redis://new:6379
//! ```
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use ferrite_migrate::{Config, Migration, Mode};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(source), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("two addresses are needed: a source and a target".into());
    };
    let config = Config::builder().source(source).target(target).mode(Mode::Snapshot).build()?;

    let mut migration = Migration::new(config).await?;
    migration.start().await?;
    let report = migration.wait().await?;
    println!("{} keys copied by {}", report.keys.copied, report.strategy);

    let result = migration.verify().await?;
    println!("verified: {} ({} keys compared)", result.success, result.compared);
    Ok(())
}
