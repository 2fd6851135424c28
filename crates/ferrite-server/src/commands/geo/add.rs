//! GEOADD.

use ferrite_store::types::geo;

use super::point;
use crate::commands::sorted_set::{AddOptions, add};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;

/// `GEOADD key [NX|XX] [CH] longitude latitude member [longitude latitude member …]`
pub(super) fn geoadd(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let mut options = AddOptions::default();
    let mut rest = words.get(2..).unwrap_or_default();
    while let Some((word, behind)) = rest.split_first() {
        match word.to_ascii_lowercase().as_slice() {
            b"nx" => options.only_new = true,
            b"xx" => options.only_known = true,
            b"ch" => options.counts_changes = true,
            _ => break,
        }
        rest = behind;
    }
    let (triples, left_over) = rest.as_chunks::<3>();
    if !left_over.is_empty() || triples.is_empty() || (options.only_new && options.only_known) {
        return Err(CommandError::SYNTAX.into());
    }
    let mut members = Vec::with_capacity(triples.len());
    for [longitude, latitude, member] in triples {
        members.push((*member, geo::encode(point(longitude, latitude)?)));
    }
    add(ctx, words[1], &options, &members)
}
