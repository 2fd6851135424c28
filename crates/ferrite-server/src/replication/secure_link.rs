//! The encrypted connection to a replica, which two threads wait on: one sends, one receives.
//!
//! Both need what is known of the encryption. Whoever waits for bytes does so without it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use parking_lot::Mutex;
use rustls::ServerConnection;

/// Bytes received at once: acknowledgements are short.
const RECEIVED: usize = 4096;

/// One encrypted connection.
#[derive(Debug)]
pub struct SecureLink {
    socket: TcpStream,
    session: Mutex<ServerConnection>,
}

impl SecureLink {
    /// A connection whose handshake is over.
    pub fn new(socket: TcpStream, session: ServerConnection) -> Self {
        Self { socket, session: Mutex::new(session) }
    }

    /// Sends all of it.
    pub fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        let mut session = self.session.lock();
        loop {
            let taken = session.writer().write(bytes)?;
            self.push(&mut session)?;
            bytes = bytes.get(taken..).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    /// Waits for bytes; 0 at the end.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.lock().reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            let mut buffer = [0; RECEIVED];
            let read = (&self.socket).read(&mut buffer)?;
            if read == 0 {
                return Ok(0);
            }
            let mut session = self.session.lock();
            let mut received = buffer.get(..read).unwrap_or_default();
            while !received.is_empty() {
                session.read_tls(&mut received)?;
                session.process_new_packets().map_err(io::Error::other)?;
            }
            self.push(&mut session)?;
        }
    }

    fn push(&self, session: &mut ServerConnection) -> io::Result<()> {
        while session.wants_write() {
            session.write_tls(&mut &self.socket)?;
        }
        Ok(())
    }

    /// Ends the connection for both threads.
    pub fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }
}
