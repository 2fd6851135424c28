//! Lists: plain, one ziplist, or a chain of nodes.
//!
//! ```text
//!  1  n, string ...
//! 10  string holding a ziplist
//! 14  n, string holding a ziplist ...
//! 18  n, (container, string) ...    container 1: the string is one item, 2: it holds a listpack
//! ```

use super::Layout;
use crate::cursor::{Cursor, Scan, Scratch, Stop};
use crate::packed::{Element, listpack, ziplist};
use crate::{ErrorKind, Sink};

const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Reads one plain item, or one node with all its items.
#[inline]
pub(crate) fn unit<S: Sink + ?Sized>(
    layout: Layout,
    cursor: &mut Cursor<'_>,
    outer: &mut Scratch,
    inner: &mut Scratch,
    sink: &mut S,
) -> Scan<()> {
    match layout {
        Layout::Quicklist | Layout::ListZiplist => {
            items(ziplist::iter(cursor.text(outer)?)?, inner, sink)
        }
        Layout::Quicklist2 => match cursor.length()? {
            PACKED => items(listpack::iter(cursor.text(outer)?)?, inner, sink),
            PLAIN => item(cursor, outer, sink),
            _ => Err(Stop::Bad(ErrorKind::Malformed("quicklist container"))),
        },
        _ => item(cursor, outer, sink),
    }
}

#[inline]
fn item<S: Sink + ?Sized>(
    cursor: &mut Cursor<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Scan<()> {
    sink.list_item(cursor.text(scratch)?);
    Ok(())
}

fn items<'p, S: Sink + ?Sized>(
    packed: impl Iterator<Item = Result<Element<'p>, ErrorKind>>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Scan<()> {
    for element in packed {
        sink.list_item(scratch.element(&element?));
    }
    Ok(())
}
