//! RESP2 and RESP3: bytes in, values out; no I/O.
