//! The scripts that EVAL and SCRIPT LOAD brought, by their checksums.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::flags::Flags;
use super::interpreter::{Interpreter, Purpose, Settings};
use super::{ScriptError, checksum};

/// How many scripts that only EVAL brought are kept: clients that send a new script each time
/// must not fill the memory. Those of SCRIPT LOAD stay until SCRIPT FLUSH.
const KEPT_OF_EVAL: usize = 500;

/// A script.
#[derive(Debug)]
pub struct Script {
    /// Its text.
    pub text: Arc<[u8]>,
    /// What its first line says.
    pub flags: Flags,
    /// The longest that it has run; nothing before its first run.
    pub slowest: Option<Duration>,
    /// When it was used last, if only EVAL brought it: such a script may be given up.
    used: Option<u64>,
}

/// The scripts and their interpreter.
#[derive(Debug)]
pub struct Cache {
    interpreter: Interpreter,
    settings: Settings,
    scripts: HashMap<String, Script>,
    /// Counts uses.
    clock: u64,
    /// Scripts given up since the server started.
    pub evicted: u64,
}

impl Cache {
    /// What the first line of a script says.
    pub fn flags(&self, name: &str) -> Option<Flags> {
        self.scripts.get(name).map(|script| script.flags)
    }

    /// An empty one.
    ///
    /// # Errors
    /// When there is no memory for an interpreter.
    pub fn new(settings: Settings) -> Result<Self, ScriptError> {
        let interpreter = Interpreter::new(Purpose::Scripts, &settings)?;
        Ok(Self { interpreter, settings, scripts: HashMap::new(), clock: 0, evicted: 0 })
    }

    /// Whether a script is there.
    pub fn has(&self, name: &str) -> bool {
        self.scripts.contains_key(name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.scripts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// Bytes that the interpreter and the texts take.
    pub fn memory(&self) -> usize {
        let texts: usize = self.scripts.values().map(|script| script.text.len()).sum();
        self.interpreter.memory() + texts
    }

    /// The checksum of a script that is there now: compiled if it was not. One that is `loaded`
    /// stays.
    ///
    /// # Errors
    /// What is wrong with its text: the whole error reply.
    pub fn add(&mut self, text: &[u8], loaded: bool) -> Result<String, String> {
        let name = checksum(text);
        self.clock += 1;
        if let Some(script) = self.scripts.get_mut(&name) {
            script.used = if loaded { None } else { script.used.map(|_| self.clock) };
            return Ok(name);
        }
        let (flags, body) = Flags::of_script(text)?;
        if let Err(message) = self.interpreter.compile(&name, &body) {
            return Err(format!("ERR Error compiling script (new function): {message}"));
        }
        let used = if loaded { None } else { Some(self.clock) };
        if !loaded {
            self.make_room();
        }
        let script = Script { text: text.into(), flags, slowest: None, used };
        self.scripts.insert(name.clone(), script);
        Ok(name)
    }

    /// Gives up the script that EVAL brought and nobody used for longest, if there are too many.
    fn make_room(&mut self) {
        let of_eval = self.scripts.iter().filter_map(|(name, script)| Some((script.used?, name)));
        let (count, oldest) = of_eval.fold((0, None), |(count, oldest), one| {
            (count + 1, Some(oldest.map_or(one, |oldest| std::cmp::min(oldest, one))))
        });
        if let (KEPT_OF_EVAL.., Some((_, name))) = (count, oldest) {
            let name = name.clone();
            self.scripts.remove(&name);
            self.interpreter.forget(&name);
            self.evicted += 1;
        }
    }

    /// A script that is used now, and its interpreter.
    pub fn take(&mut self, name: &str) -> Option<(&mut Script, &mut Interpreter)> {
        self.clock += 1;
        let script = self.scripts.get_mut(name)?;
        script.used = script.used.map(|_| self.clock);
        Some((script, &mut self.interpreter))
    }

    /// Forgets all scripts, with an interpreter that has seen none.
    ///
    /// # Errors
    /// When there is no memory for a new interpreter; the old one stays then.
    pub fn flush(&mut self) -> Result<(), ScriptError> {
        self.interpreter = Interpreter::new(Purpose::Scripts, &self.settings)?;
        self.scripts.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_eval_make_room_for_each_other_and_loaded_ones_stay() {
        let settings = Settings { version: (7, 2, 0), memory_limit: 64 << 20 };
        let mut cache = Cache::new(settings).unwrap();
        let loaded = cache.add(b"return 'loaded'", true).unwrap();
        let first = cache.add(b"return 'first'", false).unwrap();
        let second = cache.add(b"return 'second'", false).unwrap();
        for number in 0..KEPT_OF_EVAL - 2 {
            cache.add(format!("return {number}").as_bytes(), false).unwrap();
        }
        assert!(cache.take(&first).is_some(), "nothing is given up before it must be");
        cache.add(b"return 'one more'", false).unwrap();
        assert!(cache.has(&loaded) && cache.has(&first) && !cache.has(&second));
        assert_eq!((cache.evicted, cache.len()), (1, KEPT_OF_EVAL + 1));
        cache.add(b"return 'first'", true).unwrap();
        cache.flush().unwrap();
        assert!(cache.is_empty());
    }
}
