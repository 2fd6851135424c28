//! What the target must be told, besides `REPLICAOF`, to be let in by the source: user, password,
//! and whether TLS is spoken; and what these settings were before.
//!
//! ```text
//! masteruser, masterauth    as our address of the source has them
//! tls-replication           yes for rediss://, no for redis://
//! ```

use ferrite_client::{ClientError, Connection, Secret};
use serde_json::{Value, json};

use ferrite_client::Address;

const USER: &str = "masteruser";
const PASSWORD: &str = "masterauth";
const TLS: &str = "tls-replication";

/// What the settings are to be.
#[derive(Clone, Debug)]
pub struct Settings {
    user: String,
    password: Secret,
    tls: bool,
}

/// What the settings are, or were; `None` for one the server does not have.
#[derive(Clone, Debug)]
pub struct Before {
    user: Option<String>,
    /// `None` too when it is not known any more: it is never written down.
    password: Option<Secret>,
    /// Whether there was a password.
    had_password: bool,
    tls: Option<String>,
}

impl Settings {
    /// What lets the target in where our own address of the source lets us in.
    #[must_use]
    pub fn of(address: &Address) -> Self {
        let user = address.username().unwrap_or_default().to_owned();
        let password = match address.password() {
            Some(password) => password.clone(),
            // A user without a password is one with `nopass`, whom any password suits; without
            // one, a replica would not name its user.
            None => Secret::new(user.clone()),
        };
        Self { user, password, tls: address.is_tls() }
    }

    /// Whether a target as it comes follows a source with these settings.
    #[must_use]
    pub fn are_default(&self) -> bool {
        self.user.is_empty() && self.password.expose().is_empty() && !self.tls
    }

    /// The first setting that is needed and that the server does not have.
    #[must_use]
    pub fn lacking(&self, now: &Before) -> Option<&'static str> {
        let lacks_user = now.user.is_none() && !self.user.is_empty();
        let lacks_tls = now.tls.is_none() && self.tls;
        lacks_user.then_some(USER).or(lacks_tls.then_some(TLS))
    }

    /// Sets what is otherwise.
    ///
    /// # Errors
    /// A server that is lost, or refuses.
    pub async fn apply(
        &self,
        connection: &mut Connection,
        now: &Before,
    ) -> Result<(), ClientError> {
        if now.user.as_ref().is_some_and(|user| *user != self.user) {
            connection.call(&["CONFIG", "SET", USER, &self.user]).await?;
        }
        if now.password.as_ref().is_none_or(|password| *password != self.password) {
            set_password(connection, &self.password).await?;
        }
        let tls = if self.tls { "yes" } else { "no" };
        if now.tls.as_ref().is_some_and(|now| now != tls) {
            connection.call(&["CONFIG", "SET", TLS, tls]).await?;
        }
        Ok(())
    }
}

impl Before {
    /// Asks the server; `None` if it does not tell its configuration.
    ///
    /// # Errors
    /// A server that is lost.
    pub async fn ask(connection: &mut Connection) -> Result<Option<Self>, ClientError> {
        let asked = async {
            let user = get(connection, USER).await?;
            let password = get(connection, PASSWORD).await?;
            let tls = get(connection, TLS).await?;
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let had_password = password.as_ref().is_some_and(|password| !password.is_empty());
            Ok(Self {
                user: user.map(text),
                password: Some(Secret::new(password.unwrap_or_default())),
                had_password,
                tls: tls.map(text),
            })
        };
        match asked.await {
            Ok(before) => Ok(Some(before)),
            Err(error) => match ClientError::is_refusal(&error) {
                true => Ok(None),
                false => Err(error),
            },
        }
    }

    /// For the journal: everything but the password.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "masteruser": self.user, "had_masterauth": self.had_password, "tls": self.tls })
    }

    /// As the journal has it.
    #[must_use]
    pub fn from_json(value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let had_password = value.get("had_masterauth").and_then(Value::as_bool) == Some(true);
        let password = (!had_password).then(|| Secret::new(""));
        Self { user: text("masteruser"), password, had_password, tls: text("tls") }
    }

    /// Sets everything back to what it was. Gives whether that was all: a password that an earlier
    /// process has seen is not known any more, and none is set.
    ///
    /// # Errors
    /// A server that is lost, or refuses.
    pub async fn put_back(&self, connection: &mut Connection) -> Result<bool, ClientError> {
        let Some(now) = Self::ask(connection).await? else { return Ok(true) };
        for (name, then, now) in [(USER, &self.user, &now.user), (TLS, &self.tls, &now.tls)] {
            if let Some(then) = then.as_ref().filter(|then| now.as_ref() != Some(*then)) {
                connection.call(&["CONFIG", "SET", name, then]).await?;
            }
        }
        let none = Secret::new("");
        let password = self.password.as_ref().unwrap_or(&none);
        if now.password.as_ref() != Some(password) {
            set_password(connection, password).await?;
        }
        Ok(self.password.is_some())
    }
}

async fn set_password(connection: &mut Connection, password: &Secret) -> Result<(), ClientError> {
    let command = [b"CONFIG", &b"SET"[..], PASSWORD.as_bytes(), password.expose()];
    connection.call(&command).await.map(drop)
}

/// The value of a setting; `None` if the server has no such setting.
async fn get(connection: &mut Connection, name: &str) -> Result<Option<Vec<u8>>, ClientError> {
    let told = connection.call(&["CONFIG", "GET", name]).await?;
    let value = told.as_array().and_then(|pair| pair.get(1)?.as_bytes());
    Ok(value.map(<[u8]>::to_vec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_has_everything_but_the_password() {
        let before = Before {
            user: Some(String::from("mover")),
            password: Some(Secret::new("hunter2")),
            had_password: true,
            tls: Some(String::from("no")),
        };
        let json = before.to_json();
        assert!(!json.to_string().contains("hunter2"), "{json}");
        let back = Before::from_json(&json);
        assert_eq!((&back.user, &back.tls), (&before.user, &before.tls));
        assert!(back.had_password && back.password.is_none());
        let none = Before { password: Some(Secret::new("")), had_password: false, ..before };
        let known = Before::from_json(&none.to_json()).password;
        assert_eq!(known, Some(Secret::new("")));
    }
}
