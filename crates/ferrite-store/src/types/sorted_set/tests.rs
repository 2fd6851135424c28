//! Both forms against a sorted list, through the public interface.

use proptest::prelude::*;

use super::*;
use crate::types::packed::Listpack;

type Model = Vec<(f64, Vec<u8>)>;

#[derive(Clone, Debug)]
enum Step {
    Set(u16, f64),
    Remove(u16),
    RemoveRange(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let score = prop_oneof![
        (-20_i32..20).prop_map(f64::from),
        (-9_i32..9).prop_map(|score| f64::from(score) / 4.0),
        prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(1e300)],
    ];
    let step = prop_oneof![
        6 => (0_u16..400, score).prop_map(|(name, score)| Step::Set(name, score)),
        2 => (0_u16..400).prop_map(Step::Remove),
        1 => (0_usize..40, 0_usize..6).prop_map(|(at, len)| Step::RemoveRange(at, at + len)),
    ];
    prop::collection::vec(step, 1..600)
}

/// Numbers, so that a listpack stores integers, and texts.
fn name(number: u16) -> Vec<u8> {
    match number % 3 {
        0 => number.to_string().into_bytes(),
        1 => format!("member:{number}").into_bytes(),
        _ => format!("-{number}").into_bytes(),
    }
}

fn listed(set: &SortedSet, ranks: Range<usize>, direction: Direction) -> Model {
    let mut all = Vec::new();
    set.walk(ranks, direction, &mut |member, score| {
        all.push((score, member.to_vec()));
        true
    });
    all
}

fn apply(set: &mut SortedSet, model: &mut Model, step: &Step, limits: &Limits) {
    match step {
        Step::Set(number, score) => {
            let name = name(*number);
            let old = model.iter().position(|(_, member)| *member == name);
            let old = old.map(|at| model.remove(at).0);
            assert_eq!(set.set(&name, *score, limits), old);
            let at = model.partition_point(|other| (other.0, &other.1) < (*score, &name));
            model.insert(at, (*score, name));
        }
        Step::Remove(number) => {
            let at = model.iter().position(|(_, member)| *member == name(*number));
            assert_eq!(set.remove(&name(*number)), at.map(|at| model.remove(at).0));
        }
        Step::RemoveRange(start, end) => {
            let end = (*end).min(model.len());
            let expected: Model = model.drain((*start).min(end)..end).collect();
            let mut gone = Vec::new();
            set.remove_range(*start..end, &mut |member, score| gone.push((score, member.to_vec())));
            assert_eq!(gone, expected);
        }
    }
}

fn check(set: &SortedSet, model: &Model) {
    assert_eq!(set.len(), model.len());
    assert_eq!(listed(set, 0..usize::MAX, Direction::Ascending), *model);
    let mut back = listed(set, 0..model.len(), Direction::Descending);
    back.reverse();
    assert_eq!(back, *model);
    for (rank, (score, member)) in model.iter().enumerate() {
        assert_eq!(set.rank(member), Some((rank, *score)));
    }
    for text in [("-3", "(5"), ("(0", "+inf"), ("-inf", "(-1.5"), ("5", "1"), ("(1", "1")] {
        let range = ScoreRange::parse(text.0.as_bytes(), text.1.as_bytes()).unwrap();
        let expected: Model = model
            .iter()
            .filter(|(score, _)| !range.is_above(*score) && range.reaches(*score))
            .cloned()
            .collect();
        assert_eq!(listed(set, set.ranks_by_score(&range), Direction::Ascending), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_sorted_set_is_a_sorted_list(steps in steps(), entries in prop::sample::select(vec![0, 16, 600])) {
        let limits = Limits { zset_max_listpack_entries: entries, ..Limits::default() };
        let (mut set, mut model) = (SortedSet::sized(1, 1, &limits), Model::new());
        for step in &steps {
            apply(&mut set, &mut model, step, &limits);
        }
        check(&set, &model);
        let mut copy = set.clone();
        copy.pack_if_small(&limits);
        check(&copy, &model);
        let mut seen = std::collections::BTreeSet::new();
        let mut cursor = 0;
        loop {
            cursor = set.scan(cursor, &mut |member, _| { seen.insert(member.to_vec()); });
            if cursor == 0 { break; }
        }
        prop_assert_eq!(seen.len(), model.len());
    }

    #[test]
    fn what_is_written_is_read_again(steps in steps(), entries in prop::sample::select(vec![0, 600])) {
        let limits = Limits { zset_max_listpack_entries: entries, ..Limits::default() };
        let (mut set, mut model) = (SortedSet::sized(1, 1, &limits), Model::new());
        for step in &steps {
            apply(&mut set, &mut model, step, &limits);
        }
        let mut loader = SortedSetLoader::default();
        set.walk(0..set.len(), Direction::Descending, &mut |member, score| {
            loader.add(member, score);
            true
        });
        check(&loader.finish(&limits).unwrap(), &model);
        if let Form::Packed(packed) = &set.form && !set.is_empty() {
            let again = SortedSet::from_listpack(packed.listpack().clone(), &limits).unwrap();
            check(&again, &model);
        }
    }
}

#[test]
fn names_are_ranged_by_their_bytes() {
    let limits = Limits::default();
    for entries in [0, 128] {
        let limits = Limits { zset_max_listpack_entries: entries, ..limits };
        let mut set = SortedSet::sized(1, 1, &limits);
        for member in ["a", "b", "c", "d", "10", "9"] {
            set.set(member.as_bytes(), 0.0, &limits);
        }
        for (min, max, expected) in [
            ("-", "+", "10 9 a b c d"),
            ("[b", "(d", "b c"),
            ("(b", "[d", "c d"),
            ("[9", "[9", "9"),
            ("+", "-", ""),
            ("-", "[9a", "10 9"),
        ] {
            let range = LexRange::parse(min.as_bytes(), max.as_bytes()).unwrap();
            let found = listed(&set, set.ranks_by_lex(&range), Direction::Ascending);
            let names: Vec<_> =
                found.iter().map(|(_, name)| String::from_utf8_lossy(name)).collect();
            assert_eq!(names.join(" "), expected, "{min} {max}");
        }
    }
    for text in ["", "a", "-a", "+a"] {
        assert_eq!(LexBound::parse(text.as_bytes()), None);
    }
}

#[test]
fn sets_leave_the_listpack_at_the_limits() {
    let limits = Limits::default();
    let mut set = SortedSet::new();
    for number in 0..128 {
        set.set(&name(number), 1.0, &limits);
    }
    assert_eq!(set.encoding_name(), "listpack");
    set.set(&name(5), 2.0, &limits);
    assert_eq!(set.encoding_name(), "listpack");
    set.set(&name(128), 1.0, &limits);
    assert_eq!((set.encoding_name(), set.len()), ("skiplist", 129));
    let mut set = SortedSet::new();
    set.set(&[b'x'; 64], 1.0, &limits);
    assert_eq!(set.encoding_name(), "listpack");
    set.set(&[b'x'; 65], 1.0, &limits);
    assert_eq!((set.encoding_name(), set.len()), ("skiplist", 2));
}

#[test]
fn damaged_listpacks_are_refused() {
    let limits = Limits::default();
    let listpack = |elements: &[&str]| {
        let mut listpack = Listpack::new();
        elements.iter().for_each(|element| listpack.push(element.as_bytes()));
        SortedSet::from_listpack(listpack, &limits)
    };
    for wrong in [&["a"][..], &["a", "x"], &["a", "nan"], &["a", "1", "a", "2"], &[]] {
        assert!(listpack(wrong).is_err(), "{wrong:?}");
    }
    let set = listpack(&["b", "2", "a", "1.5"]).unwrap();
    let expected = vec![(1.5, b"a".to_vec()), (2.0, b"b".to_vec())];
    assert_eq!(listed(&set, 0..2, Direction::Ascending), expected);
}

#[test]
fn indexes_count_from_both_ends() {
    let limits = Limits::default();
    let mut set = SortedSet::new();
    for number in 0..5 {
        set.set(&name(number), 1.0, &limits);
    }
    for (start, stop, expected) in [
        (0, -1, 0..5),
        (-3, -2, 2..4),
        (-100, 100, 0..5),
        (3, 1, 0..0),
        (5, 9, 0..0),
        (i64::MIN, i64::MAX, 0..5),
        (0, i64::MIN, 0..0),
    ] {
        assert_eq!(set.ranks_by_index(start, stop), expected, "{start} {stop}");
    }
    assert_eq!(mirrored(&(0..2), 5), 3..5);
}
