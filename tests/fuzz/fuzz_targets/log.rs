#![no_main]
//! The target `log` for libFuzzer.

libfuzzer_sys::fuzz_target!(|data: &[u8]| chouette_iot_fuzz::run("log", data));
