//! Connections to Redis-family servers, pipelines, the replication link.
