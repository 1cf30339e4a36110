use super::*;
use crate::error::Code;
use crate::json::document::Document as _;
use crate::json::native::{Arrangement, NativeWriter};

/// What the records of a text are when they are written again.
fn rewritten(text: &str) -> Result<String> {
    let mut reader = JsonReader::new(text.as_bytes());
    let mut writer = NativeWriter::new(Arrangement::Lines);
    while let Some(record) = reader.next_record()? {
        match record {
            JsonRecord::Header(header) => writer.header(&header),
            JsonRecord::Key(key) => key.export(|_, _, _| None, &mut writer)?,
        }
    }
    Ok(String::from_utf8(writer.out).unwrap())
}

#[test]
fn records_of_every_type_read_back() {
    let records = [
        r#"{"db":0,"key":"k","type":"string","value":"12"}"#,
        r#"{"db":3,"key":{"$b64":"/w=="},"type":"string","expire_at_ms":-5,"idle_s":7,"value":{"$b64":"AP8="}}"#,
        r#"{"db":0,"key":"l","type":"list","freq":255,"value":["a","","a",{"$b64":"gA=="}]}"#,
        r#"{"db":0,"key":"s","type":"set","value":["a","\u0000","é"]}"#,
        r#"{"db":0,"key":"z","type":"zset","value":[["low","-inf"],["a",-1.5],["b",0.1],["c",123],["d",5e-324],["high","inf"]]}"#,
        r#"{"db":0,"key":"h","type":"hash","value":{"a":"1","b":"2"},"field_expire_at_ms":{"b":4102444800000}}"#,
        r#"{"db":0,"key":"h2","type":"hash","value":[["a","1"],[{"$b64":"/w=="},"2"]],"field_expire_at_ms":[[{"$b64":"/w=="},5]]}"#,
        r#"{"db":0,"key":"x","type":"stream","value":{"entries":[{"id":"1-0","fields":[["f","v"],["f","w"]]},{"id":"18446744073709551615-18446744073709551615","fields":[]}],"length":2,"last_id":"18446744073709551615-18446744073709551615","first_id":"1-0","max_deleted_id":"0-5","entries_added":9,"groups":[{"name":"g","last_id":"1-0","entries_read":-1,"pending":[{"id":"1-0","consumer":"c","delivered_at_ms":5,"count":1},{"id":"2-0","consumer":null,"delivered_at_ms":6,"count":2}],"consumers":[{"name":"c","seen_at_ms":1,"active_at_ms":-1},{"name":"d","seen_at_ms":2}],"nacked":["2-0"]}],"idmp":{"duration_s":100,"max":10,"producers":[{"id":"p","entries":[["i","1-0"]]}],"iids_added":1,"iids_duplicates":0}}}"#,
        r#"{"db":0,"key":"a","type":"array","value":{"items":[[0,"x"],[7,"y"],[18446744073709551614,"z"]],"insert_index":7}}"#,
        r#"{"db":0,"key":"m","type":"module","value":{"module":"TSDB-TYPE","encver":8,"items":[["uint",18446744073709551615],["sint",-1],["float","3f800000"],["double","3ff0000000000000"],["string",{"$b64":"/w=="}]]}}"#,
        r#"{"db":0,"key":"e","type":"string","key_meta":[{"class":"KMT1","version":3,"flags":1,"items":[["uint",1]]}],"value":""}"#,
        r##"{"rdbkit":1,"source":"rdb","magic":"REDIS","version":12,"flavor":"redis-7.4","aux":[["redis-ver","7.4.0"]],"functions":["#!lua name=l\n"],"lua":["return 1"],"module_aux":[{"module":"scdtype00","encver":0,"when":1,"items":[["string","a"]]}]}"##,
    ];
    for record in records {
        assert_eq!(rewritten(record).unwrap(), format!("{record}\n"));
    }
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    assert_eq!(rewritten(&lines).unwrap(), lines);
    let array = format!(" [ {} ]\n", records.join(" ,\r\n"));
    assert_eq!(rewritten(&array).unwrap(), lines);
    assert_eq!(rewritten(" [ ] ").unwrap(), "");
}

#[test]
fn members_come_in_any_order_and_some_may_be_absent() {
    let table = [
        (
            r#"{"value":{"b":"2","a":"1"},"field_expire_at_ms":{"a":5},"encoding":"listpack","type":"hash","key":"h"}"#,
            r#"{"db":0,"key":"h","type":"hash","value":{"b":"2","a":"1"},"field_expire_at_ms":{"a":5}}"#,
        ),
        (
            r#"{"key":"x","type":"stream","value":{"groups":[{"pending":[{"count":1,"consumer":"c","id":"1-0"}],"consumers":[{"name":"c"}],"name":"g"}],"entries":[{"fields":[["f","v"]],"id":"1-0"}]}}"#,
            r#"{"db":0,"key":"x","type":"stream","value":{"entries":[{"id":"1-0","fields":[["f","v"]]}],"length":1,"last_id":"1-0","groups":[{"name":"g","last_id":"0-0","pending":[{"id":"1-0","consumer":"c","delivered_at_ms":0,"count":1}],"consumers":[{"name":"c","seen_at_ms":0}]}]}}"#,
        ),
        (
            r#"{"key":"j","type":"module","value":{"data":{"a": [1, 2.50]},"encver":3,"module":"ReJSON-RL"}}"#,
            r#"{"db":0,"key":"j","type":"module","value":{"module":"ReJSON-RL","encver":3,"items":[["string","{\"a\": [1, 2.50]}"]]}}"#,
        ),
    ];
    for (text, expected) in table {
        assert_eq!(rewritten(text).unwrap(), format!("{expected}\n"));
    }
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    let key = |rest: &str| format!("{{\"key\":\"k\",{rest}}}");
    let stream = |rest: &str| {
        key(&format!(
            "\"type\":\"stream\",\"value\":{{\"entries\":[],{rest}}}"
        ))
    };
    let meta = |classes: &str| {
        key(&format!(
            "\"type\":\"string\",\"value\":\"\",\"key_meta\":[{classes}]"
        ))
    };
    let class = r#"{"class":"KMT1","version":3,"flags":1,"items":[]}"#;
    assert!(rewritten(&meta(class)).is_ok());
    let table: &[(String, (u64, u64))] = &[
        ("{".into(), (1, 2)),
        ("\n\n  x".into(), (3, 3)),
        (
            "[{\"key\":\"k\",\"type\":\"string\",\"value\":\"\"} {}".into(),
            (1, 41),
        ),
        ("[] 1".into(), (1, 4)),
        (
            "{\"rdbkit\":1,\"functions\":[\"return 1\"]}".into(),
            (1, 26),
        ),
        (key("\"type\":\"strong\",\"value\":\"\""), (1, 19)),
        (key("\"type\":\"string\""), (1, 1)),
        (key("\"type\":\"string\",\"value\":1"), (1, 36)),
        (key("\"type\":\"string\",\"value\":\"\",\"ttl\":1"), (1, 39)),
        (
            key("\"type\":\"string\",\"value\":\"\",\"key\":\"l\""),
            (1, 39),
        ),
        (key("\"type\":\"string\",\"value\":\"\",\"db\":-1"), (1, 44)),
        (
            key("\"type\":\"string\",\"value\":\"\",\"db\":2147483648"),
            (1, 44),
        ),
        (
            key("\"type\":\"string\",\"value\":\"\",\"aux\":[]"),
            (1, 39),
        ),
        (
            key("\"type\":\"string\",\"value\":\"\",\"field_expire_at_ms\":{}"),
            (1, 60),
        ),
        (
            key("\n\"type\":\"set\",\n\"value\":[\"a\",\n\"b\",\"a\"]"),
            (4, 5),
        ),
        (
            key("\"type\":\"zset\",\"value\":[[\"a\",1],[\"a\",2]]"),
            (1, 43),
        ),
        (
            key("\"type\":\"zset\",\"value\":[[\"a\",\"nan\"]]"),
            (1, 40),
        ),
        (key("\"type\":\"zset\",\"value\":[[\"a\",1e999]]"), (1, 40)),
        (key("\"type\":\"zset\",\"value\":[[\"a\"]]"), (1, 39)),
        (key("\"type\":\"zset\",\"value\":[[\"a\",1,2]]"), (1, 41)),
        (
            key("\"type\":\"hash\",\"value\":{\"a\":\"1\",\"a\":\"1\"}"),
            (1, 43),
        ),
        (
            key("\"type\":\"hash\",\"value\":{\"a\":\"1\"},\"field_expire_at_ms\":{\"b\":1}"),
            (1, 65),
        ),
        (
            key("\"type\":\"stream\",\"value\":{\"entries\":[{\"id\":\"1\",\"fields\":[]}]}"),
            (1, 54),
        ),
        (
            key("\"type\":\"stream\",\"value\":{\"entries\":[],\"length\":1}"),
            (1, 50),
        ),
        (stream("\"idmp\":{\"duration_s\":0}"), (1, 58)),
        (stream("\"idmp\":{\"max\":10001}"), (1, 58)),
        (
            stream("\"idmp\":{\"producers\":[{\"id\":\"p\"},{\"id\":\"p\"}]}"),
            (1, 58),
        ),
        (
            stream("\"groups\":[{\"name\":\"g\"},{\"name\":\"g\"}]"),
            (1, 50),
        ),
        (
            key("\"type\":\"array\",\"value\":{\"items\":[[1,\"a\"],[1,\"b\"]]}"),
            (1, 53),
        ),
        (
            key("\"type\":\"module\",\"value\":{\"module\":\"x\",\"encver\":0}"),
            (1, 46),
        ),
        (
            key("\"type\":\"module\",\"value\":{\"module\":\"ninechars\",\"encver\":0}"),
            (1, 36),
        ),
        (
            key("\"type\":\"module\",\"value\":{\"module\":\"ab\\\"cdefgh\",\"encver\":1,\"items\":[]}"),
            (1, 46),
        ),
        (meta(&class.replace("KMT1", "a\\\"cd")), (1, 52)),
        (meta(&class.replace('3', "32")), (1, 77)),
        (meta(&class.replace(":1,", ":8,")), (1, 87)),
        (meta(&class.replace("flags", "version")), (1, 79)),
        (stream("\"last_id\":\"1-0\",\"last_id\":\"1-0\""), (1, 66)),
        (stream("\"groups\":[],\"groups\":[]"), (1, 62)),
        (meta(r#"{"version":3,"flags":1,"items":[]}"#), (1, 50)),
        (meta(&[class; 8].join(",")), (1, 50)),
        (
            "{\"rdbkit\":1,\"module_aux\":[{\"module\":\"a\\\"b\",\"encver\":1,\"when\":1,\"items\":[]}]}".into(),
            (1, 27),
        ),
    ];
    for (text, expected) in table {
        let error = rewritten(text).unwrap_err();
        let ErrorKind::BadJson { line, column, .. } = error.kind() else {
            panic!("{text}: {error}");
        };
        assert_eq!((*line, *column), *expected, "{text}: {error}");
        assert_eq!(error.code(), Code::BadJson);
    }
}

#[test]
fn every_cut_of_a_record_is_an_error() {
    let record = r#"{"db":0,"key":"x","type":"stream","value":{"entries":[{"id":"1-0","fields":[["f","v"]]}],"groups":[{"name":"g","pending":[],"consumers":[{"name":"c"}]}]}}"#;
    for cut in 1..record.len() {
        assert!(rewritten(&record[..cut]).is_err(), "cut at {cut}");
    }
    assert!(rewritten(record).is_ok());
}

#[test]
fn the_line_behind_a_mistake_can_be_read() {
    let text = b"{\"key\":\"a\",\"type\":\"string\",\"value\":\"\"}\n{oops}\n{\"key\":\"b\",\"type\":\"string\",\"value\":\"\"}\n";
    let mut reader = JsonReader::new(text);
    let mut keys = Vec::new();
    let mut mistakes = 0;
    loop {
        match reader.next_record() {
            Ok(Some(JsonRecord::Key(key))) => keys.push(key.key().to_vec()),
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => {
                mistakes += 1;
                assert!(reader.skip_line());
            }
        }
    }
    assert_eq!((keys, mistakes), (vec![b"a".to_vec(), b"b".to_vec()], 1));
}

/// Lines are counted once, so that a mistake on each of many lines takes no time.
#[test]
fn mistakes_on_every_line_are_each_named_by_their_line() {
    const LINES: u64 = 200_000;
    let bad_value = "{\"key\":\"k\",\"type\":\"set\",\"value\":[1]}\n";
    let text = format!(
        "{{\"key\":\"k\",\"type\":\"string\",\"value\":\"v\"}}\n{}",
        "x\n".repeat(LINES as usize)
    );
    let mut reader = JsonReader::new(text.as_bytes());
    assert!(reader.next_record().unwrap().is_some());
    for expected in 2..LINES + 2 {
        let error = reader.next_record().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::BadJson { line, column: 1, .. } if *line == expected)
        );
        assert!(reader.skip_line());
    }
    let text = bad_value.repeat(20_000);
    let mut reader = JsonReader::new(text.as_bytes());
    let mut writer = NativeWriter::new(Arrangement::Lines);
    let mut line = 0;
    while let Some(record) = reader.next_record().unwrap() {
        let JsonRecord::Key(key) = record else {
            panic!()
        };
        line += 1;
        let error = key.export(|_, _, _| None, &mut writer).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadJson { line: found, .. } if *found == line));
    }
    assert_eq!(line, 20_000);
}
