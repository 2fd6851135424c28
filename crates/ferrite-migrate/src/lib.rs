//! Moves data between Redis-family servers: the engine and Rust SDK.
