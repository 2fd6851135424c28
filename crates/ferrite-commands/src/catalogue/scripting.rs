//! Scripts and functions: their keys are those the caller declares.

use crate::table::*;

commands! { Scripting;
    "eval" -3 [NoScript Stale SkipMonitor MovableKeys NoMandatoryKeys] [Scripting]
        [counted(2, 3, 1, Update)] since(2, 6, 0);
    "eval_ro" -3 [ReadOnly NoScript Stale SkipMonitor MovableKeys NoMandatoryKeys] [Scripting]
        [counted(2, 3, 1, Read)] since(7, 0, 0);
    "evalsha" -3 [NoScript Stale SkipMonitor MovableKeys NoMandatoryKeys] [Scripting]
        [counted(2, 3, 1, Update)] since(2, 6, 0);
    "evalsha_ro" -3 [ReadOnly NoScript Stale SkipMonitor MovableKeys NoMandatoryKeys] [Scripting]
        [counted(2, 3, 1, Read)] since(7, 0, 0);
    "fcall" -3 [NoScript Stale SkipMonitor MovableKeys NoMandatoryKeys] [Scripting]
        [counted(2, 3, 1, Update)] since(7, 0, 0);
    "fcall_ro" -3 [ReadOnly NoScript Stale SkipMonitor MovableKeys NoMandatoryKeys] [Scripting]
        [counted(2, 3, 1, Read)] since(7, 0, 0);
    "function" -2 [] [] [] since(7, 0, 0);
    {
        "function|delete" 3 [Write NoScript] [Scripting] [] since(7, 0, 0);
        "function|dump" 2 [NoScript] [Scripting] [] since(7, 0, 0);
        "function|flush" -2 [Write NoScript] [Scripting] [] since(7, 0, 0);
        "function|help" 2 [Loading Stale] [Scripting] [] since(7, 0, 0);
        "function|kill" 2 [NoScript AllowBusy] [Scripting] [] since(7, 0, 0);
        "function|list" -2 [NoScript] [Scripting] [] since(7, 0, 0);
        "function|load" -3 [Write DenyOom NoScript] [Scripting] [] since(7, 0, 0);
        "function|restore" -3 [Write DenyOom NoScript] [Scripting] [] since(7, 0, 0);
        "function|stats" 2 [NoScript AllowBusy] [Scripting] [] since(7, 0, 0);
    }
    "script" -2 [] [] [] since(2, 6, 0);
    {
        "script|debug" -3 [NoScript] [Scripting] [] since(3, 2, 0);
        "script|exists" -3 [NoScript Stale] [Scripting] [] since(2, 6, 0);
        "script|flush" -2 [NoScript Stale] [Scripting] [] since(2, 6, 0);
        "script|help" 2 [Loading Stale] [Scripting] [] since(5, 0, 0);
        "script|kill" 2 [NoScript AllowBusy] [Scripting] [] since(2, 6, 0);
        "script|load" 3 [NoScript Stale] [Scripting] [] since(2, 6, 0);
        "script|show" 3 [NoScript Stale] [Scripting] [] valkey(8, 0, 0);
    }
}
