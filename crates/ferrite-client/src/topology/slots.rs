//! The reply to `CLUSTER SLOTS`.
//!
//! ```text
//! [ first, last, [ endpoint, port, id, … ], [ replica's endpoint, port, id, … ] … ] …
//! ```
//!
//! The endpoint is an address or a host name, as the cluster prefers; null, empty or `?` where the
//! node does not announce any: then it is the host we asked.

use ferrite_resp::Value;

use super::SLOTS;
use crate::Endpoint;

/// Ranges of one reply that are read: no cluster has more than slots.
const RANGES_MAX: usize = SLOTS as usize;
/// Replicas of one shard that are kept.
const REPLICAS_MAX: usize = 64;

/// A primary, the slots it owns, and its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// The primary's id, 40 hexadecimal digits; its address where the server tells none.
    pub id: String,
    /// Where the primary is.
    pub primary: Endpoint,
    /// Where its replicas are.
    pub replicas: Vec<Endpoint>,
    /// First and last slot of each range it owns, in ascending order.
    pub slots: Vec<(u16, u16)>,
}

/// Who owns which slot, as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotMap {
    shards: Vec<Shard>,
    /// The place of each slot's owner among the shards; [`NOBODY`] without one.
    owners: Vec<u16>,
}

const NOBODY: u16 = u16::MAX;

impl SlotMap {
    /// Reads the reply of a node that was asked at `host`; `None` if it is none.
    pub fn parse(reply: &Value, host: &str) -> Option<Self> {
        let mut map = Self { shards: Vec::new(), owners: vec![NOBODY; usize::from(SLOTS)] };
        for range in reply.as_array()?.iter().take(RANGES_MAX) {
            let parts = range.as_array()?;
            let (first, last) = (slot(parts.first()?)?, slot(parts.get(1)?)?);
            let primary = parts.get(2)?;
            let replicas = parts.get(3..).unwrap_or_default();
            let place = map.shard(primary, replicas, host)?;
            if let Some(owned) = map.owners.get_mut(usize::from(first)..=usize::from(last)) {
                owned.fill(u16::try_from(place).ok()?);
            }
            map.shards.get_mut(place)?.slots.push((first, last));
        }
        map.shards.iter_mut().for_each(|shard| shard.slots.sort_unstable());
        Some(map)
    }

    /// All slots belong to one server.
    #[must_use]
    pub fn of_one(primary: Endpoint) -> Self {
        let (id, replicas, slots) = (primary.to_string(), Vec::new(), vec![(0, SLOTS - 1)]);
        let shard = Shard { id, primary, replicas, slots };
        Self { shards: vec![shard], owners: vec![0; usize::from(SLOTS)] }
    }

    /// The place of a primary among the shards, which it joins if it is new.
    fn shard(&mut self, primary: &Value, replicas: &[Value], host: &str) -> Option<usize> {
        let (endpoint, id) = node(primary, host)?;
        if let Some(place) = self.shards.iter().position(|shard| shard.id == id) {
            return Some(place);
        }
        let replicas = replicas.iter().take(REPLICAS_MAX);
        let replicas = replicas.filter_map(|replica| Some(node(replica, host)?.0)).collect();
        self.shards.push(Shard { id, primary: endpoint, replicas, slots: Vec::new() });
        Some(self.shards.len() - 1)
    }

    /// All shards.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The place of a slot's owner among the [`shards`](Self::shards).
    pub fn owner(&self, slot: u16) -> Option<usize> {
        let owner = *self.owners.get(usize::from(slot))?;
        (owner != NOBODY).then_some(usize::from(owner))
    }

    /// Slots nobody owns, as ranges of first and last.
    pub fn unowned(&self) -> Vec<(u16, u16)> {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for slot in (0..SLOTS).filter(|slot| self.owner(*slot).is_none()) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot)),
            }
        }
        ranges
    }
}

fn slot(value: &Value) -> Option<u16> {
    u16::try_from(value.as_int()?).ok().filter(|slot| *slot < SLOTS)
}

/// Where a node is, and its id.
fn node(value: &Value, asked: &str) -> Option<(Endpoint, String)> {
    let parts = value.as_array()?;
    let told = parts.first()?.as_str().unwrap_or_default();
    let host = match told {
        "" | "?" => asked,
        told => told,
    };
    let port = u16::try_from(parts.get(1)?.as_int()?).ok().filter(|port| *port != 0)?;
    let endpoint = Endpoint::Tcp { host: host.to_owned(), port };
    let id =
        parts.get(2).and_then(Value::as_str).map_or_else(|| endpoint.to_string(), str::to_owned);
    Some((endpoint, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrite_resp::Decoder;

    fn parsed(reply: &str) -> Option<SlotMap> {
        let (_, value) = Decoder::default().decode(reply.as_bytes()).unwrap();
        SlotMap::parse(&value.unwrap(), "asked.example")
    }

    /// Redis 7.0.15: two primaries, one with a replica, and a hole; then what nodes say that
    /// announce no host (`cluster-preferred-endpoint-type unknown-endpoint`, `hostname`).
    #[test]
    fn ranges_of_one_primary_are_one_shard() {
        let map = parsed(
            "*3\r\n\
             *3\r\n:0\r\n:5\r\n*4\r\n$9\r\n127.0.0.1\r\n:7001\r\n$2\r\naa\r\n*0\r\n\
             *4\r\n:6\r\n:100\r\n*4\r\n$-1\r\n:7002\r\n$2\r\nbb\r\n*0\r\n\
             *4\r\n$1\r\n?\r\n:7003\r\n$2\r\ncc\r\n*2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n\
             *3\r\n:16383\r\n:16383\r\n*4\r\n$9\r\n127.0.0.1\r\n:7001\r\n$2\r\naa\r\n*0\r\n",
        )
        .unwrap();
        assert_eq!(map.shards().len(), 2);
        assert_eq!(map.shards()[0].slots, [(0, 5), (16383, 16383)]);
        assert_eq!(map.shards()[1].primary.to_string(), "asked.example:7002");
        assert_eq!(map.shards()[1].replicas[0].to_string(), "asked.example:7003");
        assert_eq!((map.owner(6), map.owner(101), map.owner(16383)), (Some(1), None, Some(0)));
        assert_eq!(map.unowned(), [(101, 16382)]);
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for reply in [
            ":1\r\n",
            "*1\r\n*2\r\n:0\r\n:5\r\n",
            "*1\r\n*3\r\n:0\r\n:99999\r\n*3\r\n$1\r\nh\r\n:1\r\n$1\r\na\r\n",
            "*1\r\n*3\r\n:0\r\n:5\r\n*3\r\n$1\r\nh\r\n:0\r\n$1\r\na\r\n",
        ] {
            assert_eq!(parsed(reply), None, "{reply}");
        }
        let turned = "*1\r\n*3\r\n:9\r\n:5\r\n*3\r\n$1\r\nh\r\n:1\r\n$1\r\na\r\n";
        assert_eq!(parsed(turned).unwrap().owner(7), None);
        assert_eq!(parsed("*0\r\n").unwrap().unowned(), [(0, SLOTS - 1)]);
    }
}
