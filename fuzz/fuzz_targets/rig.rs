#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dreamtuner_fuzz::fuzz("rig", bytes));
