//! Project verbs.
fn main() {}
