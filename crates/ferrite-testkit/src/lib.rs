//! Real servers, data sets and faults for tests (development only).
