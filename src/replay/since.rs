//! Which release of Redis brought a command that logs hold.

/// The oldest release that logs are told apart by; what it has counts as always there.
pub(super) const FIRST: (u16, u16) = (6, 2);

/// Commands that change data and are newer than [`FIRST`], by the release that brought them.
const NEWER: &[((u16, u16), &[&str])] = &[
    (
        (7, 0),
        &[
            "blmpop",
            "bzmpop",
            "eval_ro",
            "evalsha_ro",
            "fcall",
            "fcall_ro",
            "function",
            "function|delete",
            "function|flush",
            "function|load",
            "function|restore",
            "lmpop",
            "zmpop",
        ],
    ),
    (
        (7, 4),
        &["hexpire", "hexpireat", "hpersist", "hpexpire", "hpexpireat"],
    ),
    (
        (8, 0),
        &["hgetdel", "hgetex", "hsetex", "vadd", "vrem", "vsetattr"],
    ),
    ((8, 2), &["xackdel", "xdelex"]),
    ((8, 4), &["delex", "msetex", "trimslots"]),
    ((8, 6), &["xcfgset", "xidmprecord"]),
    (
        (8, 8),
        &[
            "ardel",
            "ardelrange",
            "arinsert",
            "armset",
            "arring",
            "arseek",
            "arset",
            "increx",
            "xnack",
        ],
    ),
    ((8, 10), &["blmovem", "lmovem"]),
];

const fn is(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The release that brought the command of this row.
pub(super) const fn since(name: &str) -> (u16, u16) {
    let mut release = 0;
    while release < NEWER.len() {
        let (version, names) = NEWER[release];
        let mut at = 0;
        while at < names.len() {
            if is(names[at], name) {
                return version;
            }
            at += 1;
        }
        release += 1;
    }
    FIRST
}
