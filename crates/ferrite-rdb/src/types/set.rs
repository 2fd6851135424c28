//! Sets: plain, an intset, a listpack, or with an expiry behind each member.
//!
//! ```text
//!  2  n, string ...
//! 11  string holding an intset
//! 20  string holding a listpack
//! 32  Dragonfly: n, (string, expiry as of its hashes) ...
//! ```

use super::{Counted, Layout, hash};
use crate::Sink;
use crate::cursor::{Cursor, Scan, Scratch};
use crate::packed::{Element, intset, listpack};

/// Reads one plain member, or all members of a packed set.
#[inline]
pub(crate) fn unit<S: Sink + ?Sized>(
    layout: Layout,
    cursor: &mut Cursor<'_>,
    outer: &mut Scratch,
    inner: &mut Scratch,
    sink: &mut S,
) -> Scan<()> {
    let bytes = cursor.text(outer)?;
    match layout {
        Layout::SetIntset => {
            for member in intset::iter(bytes)? {
                sink.set_member(inner.element(&Element::Int(member)));
            }
        }
        Layout::SetListpack => {
            for element in listpack::iter(bytes)? {
                sink.set_member(inner.element(&element?));
            }
        }
        _ => sink.set_member(bytes),
    }
    Ok(())
}

/// What a set loses everywhere else, for reports.
const MEMBER_EXPIRY: &str = "expiry of set members (Dragonfly)";

/// Reads all members of a set whose members expire. Expiry times are reported, once.
pub(crate) fn expiring<S: Sink + ?Sized>(
    counted: &mut Counted,
    cursor: &mut Cursor<'_>,
    scratch: &mut [Scratch; 3],
    is_reported: &mut bool,
    sink: &mut S,
) -> Scan<()> {
    let [member, expiry, _] = scratch;
    counted.run(cursor, |cursor| {
        let member = cursor.text(member)?;
        if hash::dragonfly_expiry(cursor.text(expiry)?)?.is_some() && !*is_reported {
            sink.unsupported(MEMBER_EXPIRY);
            *is_reported = true;
        }
        sink.set_member(member);
        Ok(())
    })
}
