//! Lists as they stand in RDB files.
//!
//! ```text
//! 18  n, (container, string) ...    container 1: the string is one item, 2: it holds a listpack
//! ```

use ferrite_rdb::encode::{TYPE_LIST_QUICKLIST_2, length, string_compressed};
use ferrite_rdb::{Body, Error, ErrorKind};

use super::super::limits::Limits;
use super::super::packed::Listpack;
use super::node::{Node, NodeView};
use super::quicklist::Quicklist;
use super::{Kind, List};

const PLAIN: u64 = 1;
const PACKED: u64 = 2;

impl List {
    pub(in super::super) fn to_rdb(&self, out: &mut Vec<u8>) -> u8 {
        length(out, self.nodes() as u64);
        for node in (0..self.nodes()).filter_map(|at| self.node(at)) {
            let (container, bytes) = match node {
                NodeView::Packed(packed) => (PACKED, packed.as_bytes()),
                NodeView::Plain(element) => (PLAIN, element),
            };
            length(out, container);
            string_compressed(out, bytes);
        }
        TYPE_LIST_QUICKLIST_2
    }

    /// Takes the nodes of a quicklist as they are; empty ones are left out.
    pub(in super::super) fn from_quicklist(body: &[u8], limits: &Limits) -> Result<Self, Error> {
        let mut parts = Body::new(body);
        let mut list = Quicklist::default();
        for _ in 0..parts.length()? {
            let container = parts.length()?;
            let bytes = parts.string()?;
            list.push_node(match container {
                PLAIN => Node::Plain(bytes.into()),
                PACKED => {
                    let packed = Listpack::from_bytes(bytes.into_owned());
                    Node::Packed(packed.map_err(|kind| Error::new(kind, 0))?)
                }
                _ => return Err(Error::new(ErrorKind::Malformed("quicklist container"), 0)),
            });
        }
        parts.end()?;
        if list.len() == 0 {
            return Err(Error::new(ErrorKind::Malformed("list: it has no elements"), 0));
        }
        let mut list = Self { kind: Kind::Quicklist(Box::new(list)) };
        list.fit_loaded(limits);
        Ok(list)
    }

    /// Becomes a listpack if one is enough, right after loading.
    pub(in super::super) fn fit_loaded(&mut self, limits: &Limits) {
        self.fit(limits, false);
    }
}
