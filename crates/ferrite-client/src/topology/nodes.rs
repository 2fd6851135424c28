//! What a node says of itself in `CLUSTER NODES`.
//!
//! ```text
//! <id> <ip:port@bus[,name]> <flags> <primary> <ping> <pong> <epoch> <link> <slot> <slot> …
//!                            myself,master                                  5-9  12
//!                                                                           [7->-<id>] going to
//!                                                                           [8-<-<id>] coming from
//! ```

use super::SLOTS;

/// Lines of one reply that are looked at: the largest clusters have a thousand nodes.
const NODES_MAX: usize = 10_000;

/// A slot whose keys are being moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSlot {
    /// The slot.
    pub slot: u16,
    /// Whether its keys come to this node; else they leave it.
    pub arrives: bool,
    /// The id of the other node.
    pub other: String,
}

/// A node by its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// 40 hexadecimal digits.
    pub id: String,
    /// Whether it is a primary.
    pub is_primary: bool,
    /// Rises whenever it takes slots over.
    pub epoch: u64,
    /// First and last slot of each range it owns.
    pub slots: Vec<(u16, u16)>,
    /// Slots whose keys are on their way.
    pub open: Vec<OpenSlot>,
}

impl NodeView {
    /// Reads the reply of a node; `None` if it does not tell of itself.
    pub fn parse(text: &str) -> Option<Self> {
        let flags = |line: &str| line.split(' ').nth(2).map(str::to_owned);
        let is_own = |line: &&str| {
            flags(line).is_some_and(|flags| flags.split(',').any(|flag| flag == "myself"))
        };
        let line = text.lines().take(NODES_MAX).find(is_own)?;
        let mut words = line.split(' ');
        let id = words.next().filter(|id| !id.is_empty())?.to_owned();
        let is_primary = words.nth(1)?.split(',').any(|flag| flag == "master");
        let epoch = words.nth(3)?.parse().ok()?;
        let (mut slots, mut open) = (Vec::new(), Vec::new());
        for word in words.skip(1).take(usize::from(SLOTS) * 2) {
            match word.strip_prefix('[') {
                Some(word) => open.extend(moving(word)),
                None => slots.extend(range(word)),
            }
        }
        Some(Self { id, is_primary, epoch, slots, open })
    }
}

fn slot(text: &str) -> Option<u16> {
    text.parse().ok().filter(|slot| *slot < SLOTS)
}

/// `5` or `5-9`
fn range(word: &str) -> Option<(u16, u16)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (slot(first)?, slot(last)?);
    (first <= last).then_some((first, last))
}

/// `7->-<id>]` or `8-<-<id>]`
fn moving(word: &str) -> Option<OpenSlot> {
    let mut parts = word.strip_suffix(']')?.splitn(3, '-');
    let (slot, way, other) = (slot(parts.next()?)?, parts.next()?, parts.next()?);
    let arrives = match way {
        "<" => true,
        ">" => false,
        _ => return None,
    };
    Some(OpenSlot { slot, arrives, other: other.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Redis 7.0.15 and Valkey 9.1 write it.
    #[test]
    fn a_node_tells_its_slots_and_those_on_their_way() {
        let text = "bb 127.0.0.1:2@12 master - 0 1 2 connected 6-100\n\
                    aa 127.0.0.1:1@11,name,shard-id=x myself,master - 0 0 17 connected 0-5 16383 \
                    [5->-bb] [6-<-bb]\n";
        let view = NodeView::parse(text).unwrap();
        assert_eq!((view.id.as_str(), view.is_primary, view.epoch), ("aa", true, 17));
        assert_eq!(view.slots, [(0, 5), (16383, 16383)]);
        let open = |slot, arrives| OpenSlot { slot, arrives, other: String::from("bb") };
        assert_eq!(view.open, [open(5, false), open(6, true)]);
        let replica = "aa :0@0 myself,slave bb 0 0 3 connected\n";
        let view = NodeView::parse(replica).unwrap();
        assert_eq!((view.is_primary, view.slots.len()), (false, 0));
    }

    #[test]
    fn nonsense_is_passed_over() {
        for text in ["", "aa", "aa b myself", "aa b master - 0 0 1 connected 1", " b myself - 0"] {
            assert_eq!(NodeView::parse(text), None, "{text}");
        }
        let odd = "aa b myself,master - 0 0 1 connected 99999 9-5 x [1-?-a] [1-<] [ 3";
        assert_eq!(NodeView::parse(odd).unwrap().slots, [(3, 3)]);
    }
}
