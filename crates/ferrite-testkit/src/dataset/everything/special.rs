//! What is stored as another type: HyperLogLog, geography, bitmaps; and functions.

use super::{Done, Loader, names};

/// Libraries of functions, with comments and non-ASCII text that must survive as they are.
const LIBRARIES: [&str; 2] = [
    "#!lua name=counting\n\
     -- counts: é 数\n\
     redis.register_function('count_up', function(keys, args)\n\
     \treturn redis.call('INCRBY', keys[1], args[1] or 1)\n\
     end)\n",
    "#!lua name=reading\n\
     redis.register_function{function_name='read_one', callback=function(keys)\n\
       return redis.call('GET', keys[1])\n\
     end, flags={'no-writes'}, description='reads'}\n",
];

pub(super) fn load(loader: &mut Loader<'_>) -> Done {
    loader.run(&["PFADD", "hll:sparse", "a", "b", "c"])?;
    loader.run(&["PFADD", "hll:empty"])?;
    for block in 0..10 {
        loader.add("PFADD", "hll:dense", names(&format!("visitor:{block}"), 1000))?;
    }
    let places = ["13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania"];
    loader.run(&["GEOADD", "geo:small", "2.3522219", "48.856614", "Paris"])?;
    loader.add("GEOADD", "geo:small", places)?;
    let grid = (0..300).flat_map(|number| {
        let (longitude, latitude) = (number % 20 * 17 - 170, number / 20 * 11 - 80);
        [longitude.to_string(), latitude.to_string(), format!("place:{number}")]
    });
    loader.add("GEOADD", "geo:large", grid)?;
    for bit in ["0", "7", "100", "65535"] {
        loader.run(&["SETBIT", "bitmap:sparse", bit, "1"])?;
    }
    let random = loader.random.bytes(4096);
    loader.add("SET", "bitmap:dense", [random])?;
    loader.add("BITFIELD", "bitmap:field", ["SET", "u8", "0", "255", "SET", "i16", "#3", "-2"])?;
    functions(loader)
}

fn functions(loader: &mut Loader<'_>) -> Done {
    if loader.has("FUNCTION")? {
        for library in LIBRARIES {
            loader.send(&["FUNCTION", "LOAD", "REPLACE", library])?;
        }
    }
    Ok(())
}
