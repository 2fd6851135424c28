//! Libraries of functions.

mod metadata;
mod register;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ScriptError;
use super::flags::Flags;
use super::interpreter::{Interpreter, Purpose, Settings};
use super::watch::Watch;

/// How long a library may take to register its functions.
const LOAD_LIMIT: Duration = Duration::from_millis(500);

/// One function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name, as its author wrote it.
    pub name: String,
    /// Whose it is.
    pub library: String,
    /// What it is for, in its author's words.
    pub description: Option<Vec<u8>>,
    /// What it may do.
    pub flags: Flags,
    /// The longest that it has run; nothing before its first run.
    pub slowest: Option<Duration>,
}

/// One library.
#[derive(Debug)]
pub struct Library {
    /// Its whole text, the first line included.
    pub code: Arc<[u8]>,
    /// The names of its functions, in order.
    pub functions: Vec<String>,
}

/// What becomes of libraries that are there when others are restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// They stay; one of the same name is an error.
    Append,
    /// They stay, unless there is a new one of the same name.
    Replace,
    /// They go.
    Flush,
}

/// All libraries, and the interpreter that holds their functions.
#[derive(Debug)]
pub struct Functions {
    interpreter: Interpreter,
    settings: Settings,
    libraries: BTreeMap<String, Library>,
    /// By name in lower case: callers may write it in any.
    functions: BTreeMap<String, Function>,
}

impl Functions {
    /// None yet.
    ///
    /// # Errors
    /// When there is no memory for an interpreter.
    pub fn new(settings: Settings) -> Result<Self, ScriptError> {
        let interpreter = Interpreter::new(Purpose::Functions, &settings)?;
        let (libraries, functions) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { interpreter, settings, libraries, functions })
    }

    /// The libraries by name.
    pub fn libraries(&self) -> impl Iterator<Item = (&str, &Library)> {
        self.libraries.iter().map(|(name, library)| (name.as_str(), library))
    }

    /// What is known of a function.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(&name.to_ascii_lowercase())
    }

    /// How many functions there are.
    pub fn count(&self) -> usize {
        self.functions.len()
    }

    /// Bytes that the interpreter and the texts take.
    pub fn memory(&self) -> usize {
        let texts: usize = self.libraries.values().map(|library| library.code.len()).sum();
        self.interpreter.memory() + texts
    }

    /// Loads a library; gives its name.
    ///
    /// # Errors
    /// The whole error reply; nothing has changed then.
    pub fn load(&mut self, code: &[u8], replace: bool) -> Result<String, String> {
        let (name, body) = metadata::split(code)?;
        if self.libraries.contains_key(&name) && !replace {
            return Err(format!("ERR Library '{name}' already exists"));
        }
        let chunk = self
            .interpreter
            .compile_chunk(&body)
            .map_err(|message| format!("ERR Error compiling function: {message}"))?;
        let watch = Arc::new(Watch::with_limit(LOAD_LIMIT));
        let code: Arc<[u8]> = code.into();
        let registered = register::run(&self.interpreter, &code, chunk, &watch)?;
        if registered.is_empty() {
            return Err("ERR No functions registered".to_owned());
        }
        for one in &registered {
            let other = self
                .functions
                .get(&one.name.to_ascii_lowercase())
                .filter(|other| other.library != name);
            if other.is_some() {
                return Err(format!("ERR Function {} already exists", one.name));
            }
        }
        self.delete(&name);
        let mut functions = Vec::new();
        for one in registered {
            self.interpreter
                .keep(&one.name, one.callback)
                .map_err(|error| String::from_utf8_lossy(&error.message).into_owned())?;
            let (description, flags) = (one.description, one.flags);
            let (library, own) = (name.clone(), one.name.clone());
            let function = Function { name: own, library, description, flags, slowest: None };
            functions.push(one.name.clone());
            self.functions.insert(one.name.to_ascii_lowercase(), function);
        }
        functions.sort_unstable();
        self.libraries.insert(name.clone(), Library { code, functions });
        Ok(name)
    }

    /// Removes a library; whether it was there.
    pub fn delete(&mut self, name: &str) -> bool {
        let Some(library) = self.libraries.remove(name) else { return false };
        for function in library.functions {
            self.functions.remove(&function.to_ascii_lowercase());
            self.interpreter.forget(&function);
        }
        true
    }

    /// Forgets all libraries, with an interpreter that has seen none.
    ///
    /// # Errors
    /// When there is no memory for a new interpreter; nothing has changed then.
    pub fn flush(&mut self) -> Result<(), ScriptError> {
        *self = Self::new(self.settings.clone())?;
        Ok(())
    }

    /// Loads the libraries of a dump, all or none.
    ///
    /// # Errors
    /// The whole error reply; nothing has changed then.
    pub fn restore(&mut self, codes: &[Vec<u8>], policy: Policy) -> Result<(), String> {
        let fail = |error: ScriptError| String::from_utf8_lossy(&error.message).into_owned();
        // Everything is tried in a new place first.
        let mut next = Self::new(self.settings.clone()).map_err(fail)?;
        for code in codes {
            let (name, _) = metadata::split(code)?;
            if policy == Policy::Append && self.libraries.contains_key(&name) {
                return Err(format!("ERR Library {name} already exists"));
            }
            next.load(code, false)?;
        }
        if policy != Policy::Flush {
            for (name, library) in &self.libraries {
                if !next.libraries.contains_key(name) {
                    next.load(&library.code, false)?;
                }
            }
        }
        *self = next;
        Ok(())
    }

    /// A function that is called now, its library's text, and the interpreter.
    pub fn take(&mut self, name: &str) -> Option<(&mut Function, Arc<[u8]>, &mut Interpreter)> {
        let function = self.functions.get_mut(&name.to_ascii_lowercase())?;
        let code = Arc::clone(&self.libraries.get(&function.library)?.code);
        Some((function, code, &mut self.interpreter))
    }
}
