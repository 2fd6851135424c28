//! RedisJSON, from its command reference.

use crate::table::*;

commands! { Json;
    "json.arrappend" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.arrindex" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "json.arrinsert" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.arrlen" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "json.arrpop" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.arrtrim" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.clear" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.debug" -1 [ReadOnly Module] [] [key(2, Read)] ELSEWHERE;
    "json.del" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.forget" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.get" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "json.merge" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.mget" -1 [ReadOnly Module] [] [range(1, -2, 1, Read)] ELSEWHERE;
    "json.mset" -1 [Write DenyOom Module] [] [range(1, -1, 3, Update)] ELSEWHERE;
    "json.numincrby" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.nummultby" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.numpowby" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.objkeys" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "json.objlen" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "json.resp" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "json.set" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.strappend" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.strlen" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "json.toggle" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "json.type" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
}
