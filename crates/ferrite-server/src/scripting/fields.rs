//! The names of table fields that have a meaning, made once per interpreter.

use mlua::{Lua, LuaString};

macro_rules! fields {
    ($($name:ident),* $(,)?) => {
        /// One string of the interpreter for each name.
        #[derive(Debug, Clone)]
        pub(super) struct Fields {
            $(pub(super) $name: LuaString,)*
        }

        impl Fields {
            /// Makes them all.
            pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
                Ok(Self { $($name: lua.create_string(stringify!($name))?,)* })
            }
        }
    };
}

fields! {
    err, ok, double, map, set, big_number, verbatim_string, string, format,
    ignore_error_stats_update, source, line, command, killed,
}
