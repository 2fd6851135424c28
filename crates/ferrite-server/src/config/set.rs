//! CONFIG SET: several parameters at once, all or none.

use super::Config;
use super::choices::Protection;
use super::error::SetError;
use super::setting::{Origin, Setting, Value};
use super::spec::{Change, Spec};
use super::words;

/// What happens when parameters have new values: ports are opened, buffers resized.
pub trait Apply {
    /// Acts on the new values; on an error, the name of the parameter and why, all values go back
    /// to what they were and it is called again.
    fn apply(&self, config: &Config, changed: &[&'static Spec]) -> Result<(), (String, String)>;
}

/// Nothing happens.
impl Apply for () {
    fn apply(&self, _: &Config, _: &[&'static Spec]) -> Result<(), (String, String)> {
        Ok(())
    }
}

/// One parameter that is to change.
struct Pending<'a> {
    setting: &'a dyn Setting,
    name: &'a [u8],
    before: Value,
    after: Value,
}

impl Config {
    /// Sets parameters to values, given in turns. `local`: whether the client is on this machine.
    pub fn set<W: AsRef<[u8]>>(
        &self,
        arguments: &[W],
        local: bool,
        apply: &dyn Apply,
    ) -> Result<(), SetError> {
        let (pairs, rest) = arguments.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(SetError::Syntax);
        }
        let mut found: Vec<(&dyn Setting, &[u8], &[u8])> = Vec::with_capacity(pairs.len());
        for [name, value] in pairs {
            let (name, value) = (name.as_ref(), value.as_ref());
            let setting = self.changeable(name, local)?;
            if found.iter().any(|(_, other, _)| name.eq_ignore_ascii_case(other)) {
                return Err(refused(name, "duplicate parameter".to_owned()));
            }
            found.push((setting, name, value));
        }
        let mut changes = Vec::with_capacity(found.len());
        for (setting, name, value) in found {
            let words = split(setting, value)
                .ok_or_else(|| refused(name, "argument has unbalanced quotes".to_owned()))?;
            let after = setting.check(&words, Origin::Live).map_err(|why| refused(name, why))?;
            changes.push(Pending { setting, name, before: setting.load(), after });
        }
        self.carry_out(&changes, apply)
    }

    fn carry_out(&self, changes: &[Pending<'_>], apply: &dyn Apply) -> Result<(), SetError> {
        // As in Redis, nothing happens for a number that stays as it is; a file is read again.
        let acts = changes.iter().filter(|change| match (&change.before, &change.after) {
            (Value::Number(before), Value::Number(after)) => before != after,
            _ => true,
        });
        let specs: Vec<&'static Spec> = acts.map(|change| change.setting.spec()).collect();
        changes.iter().for_each(|change| change.setting.store(&change.after));
        let Err((name, why)) = apply.apply(self, &specs) else { return Ok(()) };
        changes.iter().for_each(|change| change.setting.store(&change.before));
        // The values before were in effect, so going back to them can fail only where the system
        // changed meanwhile; what is answered is the first failure.
        let _ = apply.apply(self, &specs);
        let named = changes.iter().find(|change| change.setting.spec().name == name);
        Err(refused(named.map_or(name.as_bytes(), |change| change.name), why))
    }

    /// The parameter of a name, if it may change now.
    fn changeable(&self, name: &[u8], local: bool) -> Result<&dyn Setting, SetError> {
        let unknown = || SetError::Unknown(String::from_utf8_lossy(name).into_owned());
        let setting = self.find(name).ok_or_else(unknown)?;
        let protection = self.security.enable_protected_configs.get();
        let open = protection == Protection::Yes || (protection == Protection::Local && local);
        match setting.spec().change {
            Change::AtStart => Err(refused(name, "can't set immutable config".to_owned())),
            Change::Protected if !open => {
                Err(refused(name, "can't set protected config".to_owned()))
            }
            Change::Protected | Change::Live => Ok(setting),
        }
    }
}

/// The words of a value; `None` where quotes are wrong, or a zero byte would end it early.
fn split(setting: &dyn Setting, value: &[u8]) -> Option<Vec<Vec<u8>>> {
    match setting.spec().takes_words() {
        true => words::split(value).filter(|_| !value.contains(&0)),
        false => Some(vec![value.to_vec()]),
    }
}

fn refused(name: &[u8], why: String) -> SetError {
    SetError::Refused { name: String::from_utf8_lossy(name).into_owned(), why }
}
