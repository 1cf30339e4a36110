//! Scripts answer as on the servers that logged them: each line of `tests/scripts/*.lua`
//! runs by EVAL on a server and here, and the replies, and at last the keyspaces, agree.

#![cfg(feature = "lua")]

mod util;

use rdbkit::num::Flavor;
use rdbkit::replay::{Now, Options, Reject, Replayer, Reply};
use rdbkit::store::digest::digest_store;
use util::resp;
use util::scripts;
use util::server::{Release, Server, Start, old_servers, servers};

/// A moment behind all of the scripts' own.
const NOW_MS: i64 = 4_000_000_000_000;

/// The servers that log scripts.
fn releases() -> impl Iterator<Item = Release> {
    let verbatim = |release: &Release| !release.has_functions();
    old_servers().into_iter().chain(servers()).filter(verbatim)
}

fn start(release: Release) -> Server {
    let mut settings = vec!["--appendonly", "yes", "--appendfsync", "no"];
    if release.redis_since(5, 0) {
        settings.extend(["--lua-replicate-commands", "no"]);
    }
    Server::expect(Start::new(release).args(&settings))
}

fn replayer(release: Release) -> Replayer<'static> {
    let mut options = Options::default();
    options.scripts = true;
    options.flavor = Flavor::redis(release.version.0 as u16, release.version.1 as u16);
    options.now = Now::At(NOW_MS);
    options.databases = 16;
    Replayer::new(options)
}

/// Our answer in the form of the client's.
fn converted(reply: Reply<'_>) -> resp::Reply {
    match reply {
        Reply::Ok => resp::Reply::Simple("OK".into()),
        Reply::Nil => resp::Reply::Bulk(None),
        Reply::Int(n) => resp::Reply::Int(n),
        Reply::Status(text) => resp::Reply::Simple(String::from_utf8_lossy(&text).into_owned()),
        Reply::Bulk(text) => {
            let mut buffer = itoa::Buffer::new();
            resp::Reply::Bulk(Some(text.as_bytes(&mut buffer).to_vec()))
        }
        Reply::Array(items) => resp::Reply::Array(Some(items.into_iter().map(converted).collect())),
        Reply::Error(text) => resp::Reply::Error(text),
        other => resp::Reply::Error(format!("no reply: {other:?}")),
    }
}

/// What an error says, without what servers put before it.
fn said(error: &str) -> String {
    let text = error.rsplit("@user_script:").next().unwrap_or(error);
    let text = text.split_once(": ").map_or(text, |(_, text)| text);
    text.replace("ERR Error running script: ", "")
        .replace(['\r', '\n'], " ")
        .trim()
        .to_owned()
}

/// The code of a command's error that `show` shows; the text behind it may differ.
fn refused(shown: &str) -> Option<&str> {
    let error = shown.strip_prefix("\"{\\\"err\\\"=\\\"")?;
    error
        .split(' ')
        .next()
        .filter(|code| !code.starts_with('@'))
}

fn agree(server: &resp::Reply, ours: &Result<resp::Reply, Reject>) -> bool {
    match (server, ours) {
        (resp::Reply::Error(server), Err(Reject::Error(ours) | Reject::Interrupted(ours))) => {
            let ours = ours.trim_start_matches("ERR Error running script: ");
            let ours = ours.replace(['\r', '\n'], " ");
            // A thrown table has no text on a server, and an address here.
            let thrown = ours.contains("table: 0x") && server.contains("concatenate");
            thrown || server.contains(ours.trim()) || said(server) == said(&ours)
        }
        (resp::Reply::Error(server), Ok(resp::Reply::Error(ours))) => {
            server == ours || *server == format!("-{ours}")
        }
        (server, Ok(ours)) => {
            let (server, ours) = (format!("{server:?}"), format!("{ours:?}"));
            server == ours || refused(&server).is_some() && refused(&server) == refused(&ours)
        }
        _ => false,
    }
}

fn compare(file: &str) {
    let mut differ = Vec::new();
    for release in releases() {
        let server = start(release);
        let mut client = server.client();
        let mut replayer = replayer(release);
        let scripts = scripts::of(file, release);
        for (line, body) in &scripts {
            let theirs = client.cmd(&["EVAL", body, "0"]);
            let ours = replayer
                .call(&[b"EVAL", body.as_bytes(), b"0"])
                .map(converted);
            if !agree(&theirs, &ours) {
                differ.push(format!(
                    "{}: {line}\n  server {theirs:?}\n  here   {ours:?}",
                    release.name
                ));
            }
        }
        let digest = digest_store(&replayer.store, replayer.options().flavor, 0).unwrap();
        if digest.to_string() != server.digest() {
            differ.push(format!("{}: DEBUG DIGEST", release.name));
        }
        eprintln!("{}: {} scripts of {file}", release.name, scripts.len());
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn libraries_do_as_on_servers() {
    compare("libraries.lua");
}

#[test]
fn commands_answer_as_on_servers() {
    compare("commands.lua");
}
