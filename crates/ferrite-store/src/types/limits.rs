//! From where on collections leave their compact encodings: the parameters of `redis.conf`, under
//! their names and with their defaults.

/// Bytes of a list node at each negative `list-max-listpack-size`, -1 first.
const NODE_BYTES: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];
/// Bytes a list node may have at most where only its elements are limited.
const NODE_SAFETY_BYTES: usize = 8192;
/// What one element is taken to add to a node besides its bytes.
const NODE_ELEMENT_OVERHEAD: usize = 8;

/// The limits of the compact encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `list-max-listpack-size`: elements of a list node, or for -1 to -5 its size, 4 to 64 KiB.
    pub list_max_listpack_size: i32,
    /// `list-compress-depth`: kept to be answered; nodes are not compressed.
    pub list_compress_depth: u32,
    /// Elements of a list from this many bytes on have a node of their own; 0: those that are
    /// too large for a node by the other limits. Set by `DEBUG QUICKLIST-PACKED-THRESHOLD`.
    pub list_packed_threshold: usize,
    /// `set-max-intset-entries`
    pub set_max_intset_entries: usize,
    /// `set-max-listpack-entries`
    pub set_max_listpack_entries: usize,
    /// `set-max-listpack-value`
    pub set_max_listpack_value: usize,
    /// `hash-max-listpack-entries`
    pub hash_max_listpack_entries: usize,
    /// `hash-max-listpack-value`
    pub hash_max_listpack_value: usize,
    /// `zset-max-listpack-entries`
    pub zset_max_listpack_entries: usize,
    /// `zset-max-listpack-value`
    pub zset_max_listpack_value: usize,
    /// `stream-node-max-bytes`; 0: no limit.
    pub stream_node_max_bytes: usize,
    /// `stream-node-max-entries`; 0: no limit.
    pub stream_node_max_entries: usize,
    /// `hll-sparse-max-bytes`
    pub hll_sparse_max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            list_max_listpack_size: -2,
            list_compress_depth: 0,
            list_packed_threshold: 0,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value: 64,
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            stream_node_max_bytes: 4096,
            stream_node_max_entries: 100,
            hll_sparse_max_bytes: 3000,
        }
    }
}

impl Limits {
    /// The bytes and the elements a list node may have, without those of the safety limit.
    fn list_node(&self) -> (usize, usize) {
        match self.list_max_listpack_size {
            size @ 0.. => (usize::MAX, size.max(1) as usize),
            level => {
                let at = (level.unsigned_abs() as usize - 1).min(NODE_BYTES.len() - 1);
                (NODE_BYTES[at], usize::MAX)
            }
        }
    }

    /// Whether a list node of that many bytes and elements is too large.
    pub(super) fn list_node_exceeds(&self, bytes: usize, elements: usize) -> bool {
        let (max_bytes, max_elements) = self.list_node();
        match max_bytes {
            usize::MAX => bytes > NODE_SAFETY_BYTES || elements > max_elements,
            _ => bytes > max_bytes,
        }
    }

    /// Whether a list node of that many bytes and elements can take one element more.
    pub(super) fn list_node_takes(&self, bytes: usize, elements: usize, element: usize) -> bool {
        let bytes = bytes + element + NODE_ELEMENT_OVERHEAD;
        !self.list_is_large(element) && !self.list_node_exceeds(bytes, elements + 1)
    }

    /// Whether an element of a list of that many bytes has a node of its own.
    pub(super) fn list_is_large(&self, element: usize) -> bool {
        if self.list_packed_threshold != 0 {
            return element >= self.list_packed_threshold;
        }
        match self.list_node().0 {
            usize::MAX => element > NODE_SAFETY_BYTES,
            max_bytes => element > max_bytes,
        }
    }

    /// Whether the only node of a list of that many bytes and elements is small enough to be the
    /// whole list: half a node when elements were removed, so that the encoding does not flip
    /// back and forth.
    pub(super) fn list_fits_listpack(&self, bytes: usize, elements: usize, shrinks: bool) -> bool {
        let part = if shrinks { 2 } else { 1 };
        let (max_bytes, max_elements) = self.list_node();
        bytes <= max_bytes / part && elements <= max_elements / part
    }
}
