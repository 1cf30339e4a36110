//! The table of commands against what each real server says of its own: `COMMAND` lists
//! every command, from 7.0 on with its subcommands.

mod util;

use std::collections::{BTreeMap, BTreeSet};

use rdbkit::replay::table::{COMMANDS, Class, Command};
use util::resp::Reply;
use util::server::{Family, Release, Server, old_servers, servers};

/// A command as a server lists it.
#[derive(Clone, Debug)]
struct Listed {
    name: String,
    arity: i64,
    flags: BTreeSet<String>,
    is_container: bool,
}

impl Listed {
    fn read(entry: &Reply, into: &mut Vec<Self>) {
        let entry = entry.items();
        let subcommands = entry.get(9).map_or(&[][..], |list| list.items());
        into.push(Listed {
            name: entry[0].text().to_ascii_lowercase(),
            arity: entry[1].int(),
            flags: entry[2].items().iter().map(Reply::text).collect(),
            is_container: !subcommands.is_empty(),
        });
        for subcommand in subcommands {
            Self::read(subcommand, into);
        }
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }
}

/// Without the modules that come with a release: `servers` starts none of them.
fn listed_by(release: Release) -> Vec<Listed> {
    let server = Server::start(release, &[]);
    let reply = server.client().ok(&["COMMAND"]);
    let mut listed = Vec::new();
    for entry in reply.items() {
        Listed::read(entry, &mut listed);
    }
    listed
}

fn row(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Commands that a server flags as writing and that are of another kind here, or the
/// other way round.
fn other_class(listed: &Listed, ours: &Command) -> Option<&'static str> {
    match (&*listed.name, ours.class) {
        (name, Class::Script) if name.starts_with("function") => Some("writes libraries, not keys"),
        ("eval" | "evalsha" | "fcall" | "script|load" | "script|flush", Class::Script) => {
            Some("writes what its script does")
        }
        ("pfcount", Class::Write) => Some("refreshes the number in the value and is logged"),
        _ => None,
    }
}

/// Where a release takes any number of arguments and then refuses what the table refuses.
fn own_arity(release: Release, listed: &Listed) -> bool {
    let flags_module = listed.has("module");
    match &*listed.name {
        // COMMAND has no arity that it holds to before 6.0.
        "command" => listed.arity == 0,
        "debug" | "xtrim" => !release.redis_since(6, 0),
        // A module that checks its arguments itself.
        name => flags_module && name.starts_with('v') && listed.arity == -1,
    }
}

/// What of a row does not fit what a server lists.
fn misfit(release: Release, listed: &Listed, ours: &Command) -> Option<String> {
    let is_write = ours.class == Class::Write;
    let writes = listed.has("write") && ours.class != Class::Container;
    if writes != is_write && other_class(listed, ours).is_none() {
        return Some(format!(
            "is {:?} here, flags {:?}",
            ours.class, listed.flags
        ));
    }
    // A container alone is never carried out.
    if listed.is_container || ours.class == Class::Container || own_arity(release, listed) {
        return None;
    }
    let wanted = i64::from(ours.arity);
    let as_lax = match (listed.arity, wanted) {
        (theirs, ours) if theirs == ours => true,
        (theirs, ours) if ours < 0 => theirs.abs() >= ours.abs(),
        _ => false,
    };
    (!as_lax).then(|| format!("takes {wanted} here, {}", listed.arity))
}

/// The commands of Redis 8.8 and 8.10, which no server here is.
const NEWER: &[&str] = &[
    "arcount",
    "ardel",
    "ardelrange",
    "arget",
    "argetrange",
    "argrep",
    "arinfo",
    "arinsert",
    "arlastitems",
    "arlen",
    "armget",
    "armset",
    "arnext",
    "arop",
    "arring",
    "arscan",
    "arseek",
    "arset",
    "blmovem",
    "himport",
    "increx",
    "lmovem",
    "sdiffcard",
    "sunioncard",
    "xnack",
];

/// Writing commands that a release of Redis has and should not, or lacks and should have.
fn wrong_releases() -> Vec<String> {
    let mut wrong = Vec::new();
    let is_redis = |release: &Release| release.family == Family::Redis;
    for release in servers().into_iter().filter(is_redis) {
        let (major, minor, _) = release.version;
        let number = (major as u16, minor as u16);
        let listed: BTreeSet<_> = listed_by(release)
            .into_iter()
            .map(|listed| listed.name)
            .collect();
        for command in COMMANDS {
            let is_newer = command.since > (6, 2);
            let is_there = listed.contains(command.name);
            let changes = matches!(command.class, Class::Write | Class::Script);
            // 6.2 lists no subcommands.
            let was_there = !is_newer && !command.name.contains('|') && number == (6, 2);
            if is_newer && is_there != (command.since <= number) {
                wrong.push(format!(
                    "{}: {} is of {:?} here",
                    release.name, command.name, command.since
                ));
            }
            if changes && was_there && !is_there && !ONLY_VALKEY.contains(&command.name) {
                wrong.push(format!("{}: has no {}", release.name, command.name));
            }
        }
    }
    wrong
}

/// What Redis never had.
const ONLY_VALKEY: &[&str] = &["delifeq"];

#[test]
fn every_command_of_every_server_is_in_the_table_as_the_server_has_it() {
    let mut wrong = Vec::new();
    let mut arities: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for release in old_servers().into_iter().chain(servers()) {
        let listed = listed_by(release);
        assert!(listed.len() > 100, "{}: {}", release.name, listed.len());
        for listed in listed {
            let problem = match row(&listed.name) {
                Some(ours) => misfit(release, &listed, ours),
                None => Some("is not in the table".to_owned()),
            };
            if let Some(problem) = problem {
                wrong.push(format!(
                    "{} {}: {problem} ({} {:?})",
                    release.name, listed.name, listed.arity, listed.flags
                ));
            }
            arities.entry(listed.name).or_default().insert(listed.arity);
        }
    }
    wrong.extend(wrong_releases());
    // Where no release is as lax as the table, the table is wrong.
    for command in COMMANDS {
        if command.class == Class::Container {
            continue;
        }
        match arities.get(command.name) {
            Some(theirs) if !theirs.contains(&i64::from(command.arity)) => {
                wrong.push(format!(
                    "{}: takes {} here, {theirs:?} on the servers",
                    command.name, command.arity
                ));
            }
            None if !NEWER.contains(&command.name) => {
                wrong.push(format!("{}: no server has it", command.name));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
