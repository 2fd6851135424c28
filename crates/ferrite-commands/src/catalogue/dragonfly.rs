//! What Dragonfly adds.

use crate::table::*;

commands! { Dragonfly;
    "cl.throttle" -5 [Write DenyOom Fast] [] [key(1, Update)] ELSEWHERE;
    "dfly" -2 [Admin] [] [] ELSEWHERE;
    "dflycluster" -2 [Admin] [] [] ELSEWHERE;
    "fieldexpire" -4 [Write Fast] [Keyspace] [key(1, Update)] ELSEWHERE;
    "fieldttl" 3 [ReadOnly Fast] [Keyspace] [key(1, Read)] ELSEWHERE;
    "saddex" -4 [Write DenyOom Fast] [Set] [key(1, Update)] ELSEWHERE;
    "stick" -2 [Write Fast] [Keyspace] [range(1, -1, 1, Update)] ELSEWHERE;
}
