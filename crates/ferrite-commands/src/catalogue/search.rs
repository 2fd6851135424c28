//! RediSearch, from its command reference. Index names are not keys.

use crate::table::*;

commands! { Search;
    "ft._aliasaddifnx" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft._aliasdelifx" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft._alterifnx" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft._createifnx" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft._dropifx" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft._dropindexifx" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft._list" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.add" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.aggregate" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.aliasadd" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.aliasdel" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.aliaslist" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.aliasupdate" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.alter" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.config" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.create" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.cursor" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.del" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.dictadd" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.dictdel" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.dictdump" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.drop" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.dropindex" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.explain" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.explaincli" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.get" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.hybrid" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.info" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.mget" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.profile" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.safeadd" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.search" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.spellcheck" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.sugadd" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "ft.sugdel" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "ft.sugget" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "ft.suglen" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "ft.synadd" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.syndump" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ft.synupdate" -1 [Write DenyOom Module] [] [] ELSEWHERE;
    "ft.tagvals" -1 [ReadOnly Module] [] [] ELSEWHERE;
}
