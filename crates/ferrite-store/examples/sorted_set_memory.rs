//! Bytes a member of a large sorted set takes, and the time of adding and finding: members of
//! twelve bytes, in order and by chance.

use std::time::Instant;

use ferrite_store::types::{Limits, SortedSet};

const MEMBERS: u32 = 1_000_000;

#[expect(clippy::print_stdout, reason = "a measurement is printed")]
fn main() {
    let limits = Limits::default();
    for (order, multiplier) in [("in order", 1_u32), ("by chance", 2_654_435_761)] {
        let names: Vec<_> = (0..MEMBERS).map(|number| format!("member{number:06}")).collect();
        let score = |number: u32| f64::from(number.wrapping_mul(multiplier));
        let mut set = SortedSet::sized(MEMBERS as usize, 12, &limits);
        let begin = Instant::now();
        for (number, name) in (0..MEMBERS).zip(&names) {
            set.set(name.as_bytes(), score(number), &limits);
        }
        let added = begin.elapsed().as_nanos() / u128::from(MEMBERS);
        let begin = Instant::now();
        let found = names.iter().filter(|name| set.rank(name.as_bytes()).is_some()).count();
        let ranked = begin.elapsed().as_nanos() / u128::from(MEMBERS);
        let bytes = set.memory() as f64 / f64::from(MEMBERS);
        println!("{order}: {bytes:.1} bytes, added {added} ns, ranked {ranked} ns, {found} found");
    }
}
