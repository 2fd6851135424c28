//! What every Redis-family command is: arity, keys, flags.
