//! An interpreter whose host is a real server, and one without any.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ferrite_server::scripting::{
    AccessProblem, Destinations, Host, Interpreter, Invocation, LogLevel, Protocol, Purpose,
    Settings, Watch,
};

/// A connection that gives replies as they come.
pub struct Raw {
    stream: TcpStream,
    protocol: Protocol,
}

impl From<TcpStream> for Raw {
    fn from(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { stream, protocol: Protocol::Two }
    }
}

impl Raw {
    pub fn connect(address: SocketAddr) -> Self {
        TcpStream::connect(address).expect("the server was started for this test").into()
    }

    /// The next reply.
    pub fn read(&mut self) -> Vec<u8> {
        let mut reply = Vec::new();
        loop {
            if let Some(length) = ferrite_resp::skip(&reply).unwrap() {
                assert_eq!(length, reply.len(), "one command, one reply");
                return reply;
            }
            let mut piece = [0; 16384];
            let count = self.stream.read(&mut piece).unwrap();
            assert!(count > 0, "the server closed the connection");
            reply.extend_from_slice(&piece[..count]);
        }
    }

    pub fn speak(&mut self, protocol: Protocol) {
        if self.protocol != protocol {
            let version: &[u8] = if protocol == Protocol::Three { b"3" } else { b"2" };
            self.call(&[b"HELLO", version]);
            self.protocol = protocol;
        }
    }

    pub fn call(&mut self, command: &[&[u8]]) -> Vec<u8> {
        let mut request = Vec::new();
        ferrite_resp::encode::command(&mut request, command);
        self.stream.write_all(&request).unwrap();
        self.read()
    }
}

/// Sends the script's commands to a real server.
pub struct Remote(pub Raw);

impl Host for Remote {
    fn call(&mut self, command: &[&[u8]], protocol: Protocol, reply: &mut Vec<u8>) {
        self.0.speak(protocol);
        reply.extend_from_slice(&self.0.call(command));
    }

    fn answers_error(&mut self, _: &[u8]) {}

    fn log(&mut self, _: LogLevel, _: &[u8]) {}

    fn replicate_to(&mut self, _: Destinations) {}

    fn may_execute(&mut self, _: &[&[u8]]) -> Result<bool, AccessProblem> {
        Ok(true)
    }
}

/// Executes nothing.
#[derive(Default)]
pub struct Nobody {
    pub errors: Vec<Vec<u8>>,
    pub logged: Vec<(LogLevel, Vec<u8>)>,
    pub destinations: Vec<Destinations>,
}

impl Host for Nobody {
    fn call(&mut self, command: &[&[u8]], _: Protocol, reply: &mut Vec<u8>) {
        match command {
            [b"ECHO", text] => ferrite_resp::encode::bulk(reply, text),
            [b"RAW", text] => reply.extend_from_slice(text),
            _ => reply.extend_from_slice(b"-ERR no such command here\r\n"),
        }
    }

    fn answers_error(&mut self, text: &[u8]) {
        self.errors.push(text.to_vec());
    }

    fn log(&mut self, level: LogLevel, message: &[u8]) {
        self.logged.push((level, message.to_vec()));
    }

    fn replicate_to(&mut self, destinations: Destinations) {
        self.destinations.push(destinations);
    }

    fn may_execute(&mut self, command: &[&[u8]]) -> Result<bool, AccessProblem> {
        match command {
            [b"GET", _] => Ok(true),
            [b"SET", ..] => Ok(false),
            [b"GET", ..] => Err(AccessProblem::WrongArity),
            _ => Err(AccessProblem::UnknownCommand),
        }
    }
}

/// Memory that tests may take.
pub const MEMORY: usize = 64 << 20;

pub fn interpreter() -> Interpreter {
    let settings = Settings { version: (7, 2, 0), memory_limit: MEMORY };
    Interpreter::new(Purpose::Scripts, &settings).unwrap()
}

/// One interpreter and its host.
pub struct Engine<H> {
    pub interpreter: Interpreter,
    pub host: H,
    pub protocol: Protocol,
}

impl<H: Host> Engine<H> {
    pub fn new(host: H) -> Self {
        Self { interpreter: interpreter(), host, protocol: Protocol::Two }
    }

    /// The reply as it would go to the client.
    pub fn eval(&mut self, script: &[u8], keys: &[&[u8]], arguments: &[&[u8]]) -> Vec<u8> {
        self.eval_watched(script, keys, arguments, &Arc::new(Watch::new(None)))
    }

    pub fn eval_watched(
        &mut self,
        script: &[u8],
        keys: &[&[u8]],
        arguments: &[&[u8]],
        watch: &Arc<Watch>,
    ) -> Vec<u8> {
        let name = ferrite_server::scripting::checksum(script);
        if !self.interpreter.has(&name)
            && let Err(message) = self.interpreter.compile(&name, script)
        {
            return format!("-ERR Error compiling script (new function): {message}\r\n").into();
        }
        let invocation =
            Invocation { name: &name, keys, arguments, protocol: self.protocol, watch };
        let mut reply = Vec::new();
        let text: Arc<[u8]> = script.into();
        match self.interpreter.run(&name, &text, &invocation, &mut self.host, &mut reply) {
            Ok(()) => reply,
            Err(error) => [b"-", &*error.reply(&name), b"\r\n"].concat(),
        }
    }

    /// The same as text, for messages.
    pub fn text(&mut self, script: &str) -> String {
        String::from_utf8_lossy(&self.eval(script.as_bytes(), &[], &[])).into_owned()
    }
}
