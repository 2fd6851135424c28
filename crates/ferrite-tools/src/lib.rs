//! The command ferrite-migrate.
