//! Copies one server to another and prints the report: the whole library in thirty lines.
use ferrite_migrate::{Config, Migration, OnConflict, Strategy};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let strategy = match args.get(3).map(String::as_str) {
        Some("psync") => Strategy::Psync,
        Some("scan") => Strategy::Scan,
        _ => Strategy::Auto,
    };
    let config = Config::builder()
        .source(args[1].clone())
        .target(args[2].clone())
        .strategy(strategy)
        .on_conflict(if args.get(5).is_some() { OnConflict::Replace } else { OnConflict::Fail })
        .verify(args.get(4).is_some_and(|a| a == "verify"))
        .build()?;
    let mut migration = Migration::new(config).await?;
    match migration.start().await {
        Ok(()) => {}
        Err(e) => {
            println!("{e:#?}");
            return Ok(());
        }
    }
    match migration.wait().await {
        Ok(report) => println!("{report:#?}"),
        Err(e) => println!("{e:#?}"),
    }
    Ok(())
}
