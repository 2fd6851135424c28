//! RedisTimeSeries, from its command reference.

use crate::table::*;

commands! { TimeSeries;
    "ts.add" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "ts.alter" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "ts.create" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "ts.createrule" -1 [Write DenyOom Module] [] [range(1, 2, 1, Update)] ELSEWHERE;
    "ts.decrby" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "ts.del" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "ts.deleterule" -1 [Write DenyOom Module] [] [range(1, 2, 1, Update)] ELSEWHERE;
    "ts.get" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "ts.incrby" -1 [Write DenyOom Module] [] [key(1, Update)] ELSEWHERE;
    "ts.info" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "ts.madd" -1 [Write DenyOom Module] [] [range(1, -1, 3, Update)] ELSEWHERE;
    "ts.mget" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ts.mrange" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ts.mrevrange" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ts.queryindex" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ts.querylabels" -1 [ReadOnly Module] [] [] ELSEWHERE;
    "ts.range" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
    "ts.revrange" -1 [ReadOnly Module] [] [key(1, Read)] ELSEWHERE;
}
