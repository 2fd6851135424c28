//! A parameter's value while the server runs: read at any time by any thread, changed as a whole.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;

use super::scalar::{self, Scalar};
use super::spec::{Effect, Kind, Spec};
use super::words;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file or the command line, and whether the parameter was named before in
    /// them.
    Start {
        /// Whether an earlier line named it.
        again: bool,
    },
    /// CONFIG SET.
    Live,
}

/// A value that was checked and can be stored.
#[derive(Debug, Clone)]
pub enum Value {
    /// A number and what stands for one.
    Number(i64),
    /// Anything else.
    Structure(Arc<dyn Any + Send + Sync>),
}

/// One parameter with its value.
pub trait Setting: Send + Sync + fmt::Debug {
    /// The descriptor.
    fn spec(&self) -> &'static Spec;
    /// Checks words and makes a value of them, which is not stored yet.
    fn parse(&self, words: &[Vec<u8>], origin: Origin) -> Result<Value, String>;
    /// Stores a value that [`Setting::parse`] or [`Setting::load`] of the same setting made.
    fn store(&self, value: &Value);
    /// The value as it is.
    fn load(&self) -> Value;
    /// A value as CONFIG GET answers it.
    fn describe(&self, value: &Value) -> Vec<u8>;
    /// The lines of a configuration file that give it its value, without the name.
    fn lines(&self) -> Vec<Vec<u8>>;

    /// The value as CONFIG GET answers it.
    fn text(&self) -> Vec<u8> {
        self.describe(&self.load())
    }

    /// The value that it has when nobody sets it.
    fn default_value(&self) -> Result<Value, String> {
        let default = self.spec().default.as_bytes();
        let words = match self.spec().takes_words() {
            true => words::split(default).unwrap_or_default(),
            false => vec![default.to_vec()],
        };
        self.parse(&words, Origin::Start { again: false })
    }

    /// Whether the value is the one it has when nobody sets it. A folder never is: where the
    /// process begins may be another place next time.
    fn is_default(&self) -> bool {
        let same = |default| self.describe(&default) == self.text();
        self.spec().name != "dir" && self.default_value().is_ok_and(same)
    }

    /// Checks words as [`Setting::parse`] does, and whether this version has what they ask for.
    fn check(&self, words: &[Vec<u8>], origin: Origin) -> Result<Value, String> {
        let value = self.parse(words, origin)?;
        if let Effect::Only { values, why } = self.spec().effect {
            let text = self.describe(&value);
            if !values.iter().any(|taken| taken.as_bytes() == text) {
                return Err(format!("{why}; this version takes only {}", listed(values)));
            }
        }
        Ok(value)
    }
}

fn listed(values: &[&str]) -> String {
    let quoted = values.iter().map(|value| format!("'{value}'"));
    quoted.collect::<Vec<_>>().join(" or ")
}

/// A parameter whose value is a number, or a word that stands for one. Reading it is one load.
pub struct Number<T> {
    spec: &'static Spec,
    value: AtomicI64,
    kind: PhantomData<T>,
}

impl<T: Scalar> Number<T> {
    /// The value.
    pub fn get(&self) -> T {
        T::from_number(self.value.load(Ordering::Relaxed))
    }

    /// Sets the value past all checks, as a test or an embedding program may.
    pub fn set(&self, number: i64) {
        self.value.store(number, Ordering::Relaxed);
    }

    fn words<'a>(&self, words: &'a [Vec<u8>]) -> Result<&'a [Vec<u8>], String> {
        match words {
            [_] => Ok(words),
            _ if matches!(self.spec.kind, Kind::Flags(_)) => Ok(words),
            _ => Err("wrong number of arguments".to_owned()),
        }
    }
}

impl<T: Scalar> Setting for Number<T> {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn parse(&self, words: &[Vec<u8>], _: Origin) -> Result<Value, String> {
        Ok(Value::Number(scalar::parse(&self.spec.kind, self.words(words)?)?))
    }

    fn store(&self, value: &Value) {
        if let Value::Number(number) = value {
            self.value.store(*number, Ordering::Relaxed);
        }
    }

    fn load(&self) -> Value {
        Value::Number(self.value.load(Ordering::Relaxed))
    }

    fn describe(&self, value: &Value) -> Vec<u8> {
        match value {
            Value::Number(number) => scalar::describe(&self.spec.kind, *number).into_bytes(),
            Value::Structure(_) => Vec::new(),
        }
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        let number = self.value.load(Ordering::Relaxed);
        vec![scalar::rewrite(&self.spec.kind, number).into_bytes()]
    }
}

impl<T> fmt::Debug for Number<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.spec.name, self.value.load(Ordering::Relaxed))
    }
}

/// A value with a form of its own.
pub trait Structure: Clone + Default + Send + Sync + fmt::Debug + 'static {
    /// The value of these words; `now` is the value before.
    fn parse(words: &[Vec<u8>], now: &Self, origin: Origin) -> Result<Self, String>;
    /// What CONFIG GET answers.
    fn text(&self) -> Vec<u8>;
    /// The lines of a configuration file, without the name.
    fn lines(&self) -> Vec<Vec<u8>> {
        vec![self.text()]
    }
}

/// A parameter with a form of its own. Reading it does not wait.
pub struct Structured<T> {
    spec: &'static Spec,
    value: ArcSwap<T>,
}

impl<T: Structure> Structured<T> {
    /// The value.
    pub fn get(&self) -> Arc<T> {
        self.value.load_full()
    }

    /// The value for a moment, without counting a reference.
    pub fn peek(&self) -> arc_swap::Guard<Arc<T>> {
        self.value.load()
    }

    /// Sets the value past all checks.
    pub fn set(&self, value: T) {
        self.value.store(Arc::new(value));
    }
}

impl<T: Structure> Setting for Structured<T> {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn parse(&self, words: &[Vec<u8>], origin: Origin) -> Result<Value, String> {
        let value = T::parse(words, &self.value.load(), origin)?;
        Ok(Value::Structure(Arc::new(value)))
    }

    fn store(&self, value: &Value) {
        if let Value::Structure(any) = value
            && let Ok(value) = Arc::clone(any).downcast::<T>()
        {
            self.value.store(value);
        }
    }

    fn load(&self) -> Value {
        Value::Structure(self.value.load_full())
    }

    fn describe(&self, value: &Value) -> Vec<u8> {
        match value {
            Value::Structure(any) => any.downcast_ref().map(T::text).unwrap_or_default(),
            Value::Number(_) => Vec::new(),
        }
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        self.value.load().lines()
    }
}

impl<T: Structure> fmt::Debug for Structured<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.value.load().text();
        let shown = match self.spec.name {
            "requirepass" | "masterauth" | "tls-key-file-pass" | "tls-client-key-file-pass" => {
                "(hidden)".into()
            }
            _ => String::from_utf8_lossy(&text),
        };
        write!(f, "{} {shown}", self.spec.name)
    }
}

/// How a setting comes to be; its default is checked by a test over all of them.
pub trait Build {
    /// The setting with the value that it has when nobody sets it.
    fn build(spec: &'static Spec) -> Self;
}

impl<T: Scalar> Build for Number<T> {
    fn build(spec: &'static Spec) -> Self {
        let setting = Self { spec, value: AtomicI64::new(0), kind: PhantomData };
        if let Ok(value) = setting.default_value() {
            setting.store(&value);
        }
        setting
    }
}

impl<T: Structure> Build for Structured<T> {
    fn build(spec: &'static Spec) -> Self {
        let setting = Self { spec, value: ArcSwap::from_pointee(T::default()) };
        if let Ok(value) = setting.default_value() {
            setting.store(&value);
        }
        setting
    }
}

/// A section: a struct with one field for each parameter, and a list of them.
///
/// ```text
/// section! {
///     /// What the section is about.
///     Memory "memory" {
///         /// What the parameter is.
///         maxmemory: Number<u64> = memory("maxmemory", "0", 0, i64::MAX);
///     }
/// }
/// ```
macro_rules! section {
    (
        $(#[$section_doc:meta])* $section:ident $name:literal {
            $($(#[doc = $doc:literal])* $field:ident: $kind:ty = $spec:expr;)*
        }
    ) => {
        $(#[$section_doc])*
        #[derive(Debug)]
        pub struct $section {
            $($(#[doc = $doc])* pub $field: $kind,)*
        }

        impl $section {
            pub(crate) fn new() -> Self {
                use $crate::config::setting::Build;
                Self {
                    $($field: {
                        static SPEC: $crate::config::spec::Spec =
                            $spec.described($name, concat!($($doc),*));
                        <$kind>::build(&SPEC)
                    },)*
                }
            }

            pub(crate) fn settings(&self) -> Vec<&dyn $crate::config::setting::Setting> {
                vec![$(&self.$field,)*]
            }
        }
    };
}
pub(crate) use section;
