//! Ferrite as target and as source: every type of value goes there and comes back as it was.

use ferrite_server::Server as Ferrite;
use ferrite_testkit::client::Client;
use ferrite_testkit::{Server, snapshot};

use crate::command::migrate;
use crate::{empty, listing, start, with_everything};

fn ferrite() -> (Ferrite, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let builder = Ferrite::builder().bind("127.0.0.1:0".parse().unwrap());
    let server = builder.snapshot(folder.path().to_owned(), "dump.rdb").start().unwrap();
    let url = format!("redis://{}", server.addresses()[0]);
    (server, folder, url)
}

fn assert_holds(server: &Ferrite, wanted: &ferrite_testkit::Listing, what: &str) {
    let mut client = Client::connect(server.addresses()[0]).unwrap();
    let differences = wanted.diff(&snapshot(&mut client).unwrap());
    assert!(differences.is_empty(), "{what}: {}", differences.join("\n"));
}

#[test]
fn everything_goes_there_and_back() {
    for (from, back) in [(Server::Redis70, Server::Redis80), (Server::Redis80, Server::Redis80)] {
        let source = with_everything(from);
        for strategy in ["psync", "scan"] {
            let (server, _folder, url) = ferrite();
            let options = ["--strategy", strategy, "--verify"];
            migrate(&source.url(), &url, &options).exits(0);
            assert_holds(&server, &listing(&source), &format!("{from:?} by {strategy}"));
            let end = start(back);
            migrate(&url, &end.url(), &options).exits(0);
            let differences = listing(&source).diff(&listing(&end));
            assert!(differences.is_empty(), "{from:?} by {strategy}: {}", differences.join("\n"));
        }
    }
}

#[test]
fn a_source_sends_its_keys_itself() {
    let source = with_everything(Server::Redis70);
    let (server, _folder, url) = ferrite();
    migrate(&source.url(), &url, &["--strategy", "migrate", "--verify"]).exits(0);
    assert_holds(&server, &listing(&source), "from Redis");
    let end = empty();
    migrate(&url, &end.url(), &["--strategy", "scan", "--verify"]).exits(0);
    assert!(listing(&source).diff(&listing(&end)).is_empty());
}
