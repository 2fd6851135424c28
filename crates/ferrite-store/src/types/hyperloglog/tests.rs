//! Estimates, both forms against plain registers, damage.

use proptest::prelude::*;

use super::*;

const SPARSE_MAX_BYTES: usize = 3000;

fn filled(elements: u32) -> Vec<u8> {
    let mut bytes = empty();
    for element in 0..elements {
        add(&mut bytes, format!("element:{element}").as_bytes(), SPARSE_MAX_BYTES).unwrap();
    }
    bytes
}

#[test]
fn hashes_are_those_of_murmur() {
    // PFADD h a b c; GET h on Redis 7.0.15 and 8.0.6.
    let mut bytes = empty();
    for element in ["a", "b", "c"] {
        assert_eq!(add(&mut bytes, element.as_bytes(), SPARSE_MAX_BYTES), Ok(true));
        assert_eq!(add(&mut bytes, element.as_bytes(), SPARSE_MAX_BYTES), Ok(false));
    }
    assert_eq!(bytes, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ");
}

#[test]
fn estimates_are_near_in_both_forms() {
    for (elements, is_dense_then) in [(0, false), (1, false), (500, false), (20_000, true)] {
        let bytes = filled(elements);
        assert_eq!(is_dense(&bytes), is_dense_then);
        let estimate = count(&bytes).unwrap() as f64;
        assert!((estimate - f64::from(elements)).abs() <= f64::from(elements) * 0.03, "{estimate}");
        let mut dense = bytes.clone();
        to_dense(&mut dense).unwrap();
        assert_eq!(count(&dense), count(&bytes));
        assert_eq!(dense.len(), DENSE_LEN);
    }
}

#[test]
fn the_estimate_in_the_header_is_outdated_by_a_change() {
    let mut bytes = empty();
    assert_eq!(cached(&bytes), Some(0));
    add(&mut bytes, b"a", SPARSE_MAX_BYTES).unwrap();
    assert_eq!(cached(&bytes), None);
    set_cached(&mut bytes, 1);
    assert_eq!(cached(&bytes), Some(1));
}

#[test]
fn the_self_test_passes() {
    assert_eq!(self_test(), Ok(()));
}

#[test]
fn damage_is_found() {
    assert_eq!(check(b"HYLL"), Err(Invalid::Type));
    assert_eq!(check(b"hello world, hello world"), Err(Invalid::Type));
    let mut bytes = filled(3);
    bytes[4] = 2;
    assert_eq!(check(&bytes), Err(Invalid::Type));
    let mut short = filled(3);
    short.pop();
    assert_eq!((check(&short), count(&short)), (Ok(()), Err(Invalid::Corrupt)));
    let mut long = filled(3);
    long.push(0);
    assert_eq!(count(&long), Err(Invalid::Corrupt));
    let mut dense = filled(3);
    to_dense(&mut dense).unwrap();
    dense.pop();
    assert_eq!(check(&dense), Err(Invalid::Type));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn both_forms_keep_the_registers(
        raised in prop::collection::vec((0_usize..REGISTERS, 1_u8..51), 0..300),
        near in prop::collection::vec((0_usize..200, 1_u8..5), 0..300),
    ) {
        let (mut sparse, mut dense) = (empty(), empty());
        to_dense(&mut dense).unwrap();
        let mut model = vec![0_u8; REGISTERS];
        for (index, value) in raised.into_iter().chain(near) {
            let changes = value > model[index];
            model[index] = model[index].max(value);
            prop_assert_eq!(raise(&mut sparse, index, value, SPARSE_MAX_BYTES), Ok(changes));
            prop_assert_eq!(raise(&mut dense, index, value, SPARSE_MAX_BYTES), Ok(changes));
        }
        for bytes in [&sparse, &dense] {
            let mut registers = Registers::new();
            registers.merge(bytes).unwrap();
            prop_assert_eq!(registers.values(), &model[..]);
        }
        let mut merged = empty();
        let mut registers = Registers::new();
        registers.merge(&dense).unwrap();
        registers.store(&mut merged, SPARSE_MAX_BYTES).unwrap();
        prop_assert_eq!(count(&merged), count(&dense));
    }
}
