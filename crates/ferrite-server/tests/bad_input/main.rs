//! What no client should send, and what it costs: the server lives, answers or closes, and its
//! memory stays bounded.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod configuration;
mod files;
mod payloads;
mod pressure;
mod protocol;
mod scripts;

use std::alloc::System;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ferrite_server::Server;
use ferrite_store::memory::Counting;
use ferrite_testkit::Client;

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

/// Threads of the servers: each has the test's connections in turn.
const THREADS: usize = 2;

/// One test at a time has the memory and the processors for itself.
static ALONE: Mutex<()> = Mutex::new(());

/// A server, and nobody else's beside it.
struct Alone {
    server: Server,
    _guard: MutexGuard<'static, ()>,
}

impl Deref for Alone {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

fn alone() -> MutexGuard<'static, ()> {
    // A test that failed leaves nothing half done.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn server() -> Alone {
    let guard = alone();
    let folder = std::env::temp_dir().join("ferrite-without-a-snapshot");
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap()).threads(THREADS);
    Alone { server: builder.snapshot(folder, "none.rdb").start().unwrap(), _guard: guard }
}

fn connect(server: &Server) -> Client {
    Client::connect(server.addresses()[0]).unwrap()
}

/// Sees that each thread of a server answers.
fn lives(server: &Server) {
    for _ in 0..THREADS * 2 {
        assert_eq!(connect(server).ok(&["PING"]), "PONG");
    }
}
