//! From one server's format to what another accepts in `RESTORE`.
//!
//! Every value takes one of three ways ([`Route`]): it is passed on as it is, perhaps under
//! another version; it is decoded and written anew in the plainest layout the target reads, which
//! turns it into its own best encoding; or it cannot be held by the target at all, for a reason
//! that can be shown to the operator. What a re-encoded value had to leave behind is named too.
//!
//! The version of a footer is a promise not to exceed it, not a description: a payload goes out
//! with its own version where the target accepts that, else with the target's.

mod critical;
mod module;
mod reencode;
mod route;
mod target;

pub use reencode::{Reencoded, reencode};
pub use route::{EMPTY, Route, RouteTable, route};
pub use target::Target;

use crate::types::key_meta;
use crate::{Error, Format, dump};

/// Turns the values of one source into payloads for one target.
#[derive(Clone, Debug)]
pub struct Transcoder {
    from: Format,
    routes: RouteTable,
}

/// A payload for the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restorable<'a> {
    /// The target accepts the source's payload; nothing was written.
    AsIs(&'a [u8]),
    /// A payload was appended to the buffer. What it could not carry, by name.
    Written(Vec<&'static str>),
    /// The target cannot hold the value; why. Nothing was written.
    Impossible(&'static str),
}

impl Transcoder {
    /// For values in `from`, as `RESTORE` payloads for `to`.
    #[must_use]
    pub fn new(from: Format, to: &Target) -> Self {
        Self { from, routes: RouteTable::new(from, to) }
    }

    /// How a value would get to the target.
    #[must_use]
    pub fn route(&self, type_byte: u8, body: &[u8]) -> Route {
        self.routes.route(type_byte, body)
    }

    /// The target's payload for a `DUMP` payload of the source, appended to `out` where the
    /// original will not do.
    ///
    /// # Errors
    /// Those of [`dump::split`] and of [`reencode`], with `out` as it was.
    pub fn payload<'a>(
        &self,
        payload: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Restorable<'a>, Error> {
        let dump::Payload { type_byte, body, metadata, version } = dump::split(payload)?;
        let is_plain = metadata.is_empty();
        let accepted = self.routes.target().accepts_version(u32::from(version));
        if is_plain && accepted && self.route(type_byte, body) == Route::PassThrough {
            return Ok(Restorable::AsIs(payload));
        }
        Ok(match self.value(type_byte, body, out)? {
            Restorable::Written(mut losses) if !is_plain => {
                losses.push(key_meta::LEFT_BEHIND);
                Restorable::Written(losses)
            }
            restorable => restorable,
        })
    }

    /// The target's payload for a value as stored in an RDB file, appended to `out`; never
    /// [`Restorable::AsIs`].
    ///
    /// # Errors
    /// Those of [`reencode`], with `out` as it was.
    pub fn value(
        &self,
        type_byte: u8,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Restorable<'static>, Error> {
        let to = self.routes.target();
        match self.route(type_byte, body) {
            Route::Impossible(reason) => Ok(Restorable::Impossible(reason)),
            Route::PassThrough => {
                dump::write(out, type_byte, body, to.footer_version());
                Ok(Restorable::Written(Vec::new()))
            }
            Route::Reencode => {
                let start = dump::begin(out);
                Ok(match reencode(self.from, type_byte, body, to, out)? {
                    Reencoded::Impossible(reason) => Restorable::Impossible(reason),
                    Reencoded::Written(losses) => {
                        dump::finish(out, start, to.footer_version());
                        Restorable::Written(losses)
                    }
                })
            }
        }
    }
}
