use super::*;

fn manifest(lines: &str) -> Manifest {
    Manifest::parse(lines.as_bytes()).unwrap()
}

fn names(old: &str, files: &[(&str, &str)], form: BaseForm) -> Result<(String, String, usize)> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let names = NewNames::choose(&manifest(old), folder.path(), b"a", form)?;
    let text = |entry: &Entry| String::from_utf8(entry.file.clone()).unwrap();
    assert_eq!(names.base.kind, EntryKind::Base);
    assert_eq!(names.incr.kind, EntryKind::Incr);
    Ok((text(&names.base), text(&names.incr), names.litter.len()))
}

#[test]
fn new_numbers_are_above_all_that_are_listed_and_all_incrs_that_are_there() {
    let listed = "file a.3.base.rdb seq 3 type b\nfile a.5.incr.aof seq 5 type i\n";
    let choose = |files: &[(&str, &str)]| names(listed, files, BaseForm::Rdb).unwrap();
    let next = |incr: &str, orphans| ("a.4.base.rdb".to_owned(), incr.to_owned(), orphans);
    assert_eq!(choose(&[]), next("a.6.incr.aof", 0));
    let orphans = [
        ("a.8.incr.aof", "x"),
        ("a.7.incr.aof", ""),
        ("b.9.incr.aof", ""),
    ];
    assert_eq!(choose(&orphans), next("a.9.incr.aof", 1));
    // An unlisted base is what an earlier run left.
    assert_eq!(choose(&[("a.4.base.rdb", "x")]), next("a.6.incr.aof", 0));
    let others = [("a.4.base.aof", "x"), ("a.2.base.rdb", "x")];
    assert_eq!(choose(&others), next("a.6.incr.aof", 1));
    let history = "file a.3.base.aof seq 3 type b\nfile a.4.base.aof seq 4 type h\nfile a.9.incr.aof seq 9 type h\n";
    let chosen = names(history, &[], BaseForm::Commands).unwrap();
    assert_eq!(
        chosen,
        ("a.5.base.aof".to_owned(), "a.10.incr.aof".to_owned(), 0)
    );
}

#[test]
fn numbers_that_have_no_next_are_refused() {
    let highest = format!("file a.base seq {} type b\n", i64::MAX);
    let error = names(&highest, &[], BaseForm::Rdb).unwrap_err();
    assert_eq!(error.code().as_str(), "usage");
}
