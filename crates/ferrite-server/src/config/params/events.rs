//! Keyspace events.

use super::super::setting::{Structured, section};
use super::super::spec::text;
use super::super::values::EventClasses;

section! {
    /// Keyspace events.
    Events "events" {
        /// Which events are published, one letter a class.
        notify_keyspace_events: Structured<EventClasses> = text("notify-keyspace-events", "");
    }
}
