#![no_main]
//! The target `forwarded` for libFuzzer.

libfuzzer_sys::fuzz_target!(|data: &[u8]| chouette_iot_fuzz::run("forwarded", data));
