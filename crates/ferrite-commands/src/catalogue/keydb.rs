//! What KeyDB adds, including what it sends to its replicas.

use crate::table::*;

commands! { KeyDb;
    "expiremember" -4 [Write Fast] [Keyspace] [key(1, Update)] ELSEWHERE;
    "expirememberat" 4 [Write Fast] [Keyspace] [key(1, Update)] ELSEWHERE;
    "keydb.cron" -5 [Write DenyOom] [] [counted(5, 6, 1, Update)] ELSEWHERE;
    "keydb.hrename" 4 [Write DenyOom] [Hash] [key(1, Update)] ELSEWHERE;
    "keydb.mexists" -2 [ReadOnly Fast] [Keyspace] [range(1, -1, 1, Read)] ELSEWHERE;
    "keydb.mvccrestore" 5 [Write DenyOom] [Dangerous] [key(1, Overwrite)] ELSEWHERE;
    "keydb.nhget" -2 [ReadOnly Fast] [Hash] [key(1, Read)] ELSEWHERE;
    "keydb.nhset" -3 [Write DenyOom] [Hash] [key(1, Update)] ELSEWHERE;
    "pexpirememberat" 4 [Write Fast] [Keyspace] [key(1, Update)] ELSEWHERE;
    "replping" 1 [Fast] [] [] ELSEWHERE;
    "rreplay" -3 [NoScript] [] [] ELSEWHERE;
}
