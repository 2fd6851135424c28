//! Sets: plain, an intset, or a listpack.
//!
//! ```text
//!  2  n, string ...
//! 11  string holding an intset
//! 20  string holding a listpack
//! ```

use super::Layout;
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
