//! An encrypted connection. Nothing here waits, the handshake neither: each call goes as far as
//! what has come, and what the system takes, lets it.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};

/// One encrypted connection.
#[derive(Debug)]
pub struct Secure {
    /// What carries it.
    pub socket: TcpStream,
    session: ServerConnection,
}

impl Secure {
    /// A connection whose peer has not said anything yet.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self { socket, session })
    }

    /// Its two halves, for a thread that may wait.
    pub fn into_parts(self) -> (TcpStream, ServerConnection) {
        (self.socket, self.session)
    }

    /// Whether something is encrypted that the system has not taken yet.
    pub fn has_unsent(&self) -> bool {
        self.session.wants_write()
    }

    /// Says that nothing more comes, as far as that can be said now.
    pub fn say_goodbye(&mut self) {
        self.session.send_close_notify();
        if let Err(error) = self.push() {
            tracing::debug!("an encrypted connection was gone before its end: {error}");
        }
    }

    /// Decrypts what has come; how many bytes that were.
    fn receive(&mut self) -> io::Result<usize> {
        let read = self.session.read_tls(&mut self.socket)?;
        let shaking = self.session.is_handshaking();
        if let Err(error) = self.session.process_new_packets() {
            if shaking {
                tracing::debug!("Error accepting a client connection: {error}");
            }
            // The peer is told why, if it is still there.
            let _ = self.push();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        self.push()?;
        Ok(read)
    }

    /// Sends what is encrypted, as far as the system takes it.
    fn push(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Read for Secure {
    /// As much as there is: fewer bytes than there is room for mean that the system has no more.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while let Some(rest) = into.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.session.reader().read(rest) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => match self.receive() {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock && read > 0 => break,
                    Err(error) => return Err(error),
                },
                Err(_) if read > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }
}

impl Write for Secure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What is kept encrypted has a limit, which is rustls's own: room is made first.
        self.push()?;
        let taken = self.session.writer().write(bytes)?;
        self.push()?;
        match taken == 0 && !bytes.is_empty() {
            true => Err(ErrorKind::WouldBlock.into()),
            false => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}
