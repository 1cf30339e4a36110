//! Text forms of doubles that do not depend on a server's release.

/// Appends the shortest text that reads back equal; `inf`, `-inf` and `nan` as words.
pub fn shortest(x: f64, out: &mut Vec<u8>) {
    match x {
        x if x.is_nan() => out.extend_from_slice(b"nan"),
        f64::INFINITY => out.extend_from_slice(b"inf"),
        f64::NEG_INFINITY => out.extend_from_slice(b"-inf"),
        x => out.extend_from_slice(zmij::Buffer::new().format_finite(x).as_bytes()),
    }
}

/// The integer that a double stands for, if it is one and not `-0`, and the servers print it as one.
#[must_use]
#[expect(clippy::float_cmp, reason = "the cast back must be exact")]
pub fn integral(x: f64) -> Option<i64> {
    const LIMIT: f64 = (1i64 << 62) as f64;
    let inside = (-LIMIT..=LIMIT).contains(&x);
    let n = x as i64;
    (inside && n as f64 == x && !(n == 0 && x.is_sign_negative())).then_some(n)
}
