//! Texts that go to a temporary file are the texts that stay in memory.

use super::*;

/// Puts keys of several types, one of which begins anew and one of which is given up.
fn put(writer: &mut NativeWriter, keys: std::ops::Range<u32>) {
    for n in keys {
        let name = format!("key:{n}");
        let value_type = [ValueType::List, ValueType::Hash, ValueType::Zset][n as usize % 3];
        loop {
            writer.begin_key(&KeyHead::new(0, name.as_bytes(), value_type));
            writer.begin_value();
            for m in 0..n % 40 {
                let text = format!("element {m}");
                match value_type {
                    ValueType::List => writer.element(Text::Bytes(text.as_bytes())),
                    ValueType::Zset => writer.scored(Text::Bytes(text.as_bytes()), f64::from(m)),
                    // The last name is no UTF-8: the key comes again, as pairs.
                    _ if m == 30 => writer.field(Text::Bytes(b"\xff"), Text::Int(1), None),
                    _ => writer.field(Text::Bytes(text.as_bytes()), Text::Int(7), Some(5)),
                }
            }
            if n % 7 == 3 {
                writer.abandon_key();
                break;
            }
            writer.end_value();
            if writer.end_key() {
                break;
            }
        }
    }
}

fn whole(writer: &mut NativeWriter) -> String {
    let mut text = Vec::new();
    let mut sink = |part: &[u8]| {
        text.extend_from_slice(part);
        Ok(())
    };
    writer.write_out(&mut sink).unwrap();
    String::from_utf8(text).unwrap()
}

fn writer(arrangement: Arrangement, max_out: Option<usize>) -> NativeWriter {
    NativeWriter {
        max_out,
        ..NativeWriter::new(arrangement)
    }
}

#[test]
fn long_texts_are_the_same_from_a_file() {
    for arrangement in [Arrangement::Lines, Arrangement::Array] {
        let mut plain = writer(arrangement, None);
        put(&mut plain, 0..200);
        plain.finish();
        for max_out in [1, 100, 1000] {
            let mut spooled = writer(arrangement, Some(max_out));
            put(&mut spooled, 0..200);
            assert!(spooled.is_spooled());
            spooled.finish();
            assert!(whole(&mut spooled).into_bytes() == plain.out, "{max_out}");
            assert_eq!(whole(&mut spooled), "");
        }
    }
}

#[test]
fn long_fragments_follow_each_other() {
    for arrangement in [Arrangement::Lines, Arrangement::Array] {
        let mut plain = writer(arrangement, None);
        put(&mut plain, 0..120);
        plain.finish();
        let mut document = writer(arrangement, Some(500));
        let mut text = String::new();
        for start in (0..120).step_by(10) {
            let mut fragment = document.fragment();
            put(&mut fragment, start..start + 10);
            if fragment.is_spooled() {
                text += &whole(&mut document);
            }
            document.append(&mut fragment).unwrap();
        }
        document.finish();
        text += &whole(&mut document);
        assert!(text.into_bytes() == plain.out);
    }
}

#[test]
fn two_long_texts_are_not_mixed_up() {
    let mut document = writer(Arrangement::Lines, Some(10));
    let mut outcomes = Vec::new();
    for start in [20, 40] {
        let mut fragment = document.fragment();
        put(&mut fragment, start..start + 20);
        outcomes.push(document.append(&mut fragment).is_ok());
    }
    assert_eq!(outcomes, [true, false]);
}
