#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rdbkit_fuzz::replay_vs_model::run(bytes));
