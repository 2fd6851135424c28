//! A Memcached as the source.

use ferrite_client::memcached::is_address;

use super::{ConfigBuilder, ConfigError};
use crate::inputs::{Input, MemcachedFlags};

impl ConfigBuilder {
    /// What becomes of the flags of Memcached's values; [`MemcachedFlags::Drop`] by default.
    #[must_use]
    pub fn memcached_flags(mut self, flags: MemcachedFlags) -> Self {
        self.memcached_flags = Some(flags);
        self
    }

    /// A Memcached is given as a source is, and read as an input.
    pub(super) fn take_memcached(&mut self) -> Result<(), ConfigError> {
        let url = self.source.take_if(|url| is_address(url));
        if let (None, Some(_)) = (&url, self.memcached_flags) {
            return Err(ConfigError(String::from(
                "memcached-flags is for a source that is a Memcached: memcached://host:port",
            )));
        }
        if let Some(url) = url {
            let flags = self.memcached_flags.unwrap_or_default();
            self.input = Some(Input::memcached(&url, &self.source_tls, flags)?);
        }
        Ok(())
    }
}
