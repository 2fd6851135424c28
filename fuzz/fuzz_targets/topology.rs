//! Any bytes as what nodes of a cluster say: the list of slots, the list of nodes, a redirection.
//! Whatever is understood must name slots that exist, and owners that are there.

#![no_main]

use ferrite_client::ReplyError;
use ferrite_client::topology::{NodeView, Redirect, SLOTS, SlotMap};
use ferrite_resp::{Limits, decode};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { depth: 8, bulk: 1 << 20, elements: 1 << 12, reply: 1 << 20 };

fuzz_target!(|data: &[u8]| {
    if let Ok(Some((value, _))) = decode(data, &LIMITS)
        && let Some(map) = SlotMap::parse(&value, "asked")
    {
        let owned = (0..SLOTS).filter_map(|slot| map.owner(slot));
        assert!(owned.into_iter().all(|owner| owner < map.shards().len()));
        assert!(map.unowned().iter().all(|(first, last)| first <= last && *last < SLOTS));
    }
    if let Some(view) = NodeView::parse(&String::from_utf8_lossy(data)) {
        assert!(view.slots.iter().all(|(first, last)| first <= last && *last < SLOTS));
        assert!(view.open.iter().all(|open| open.slot < SLOTS));
    }
    match Redirect::parse(&ReplyError::parse(data), "asked") {
        Some(Redirect::Moved(slot, _) | Redirect::Ask(slot, _)) => assert!(slot < SLOTS),
        None => {}
    }
});
