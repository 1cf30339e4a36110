#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rdbkit_fuzz::rdb_read::run(bytes));
