#![no_main]
//! The target `http_answer` for libFuzzer.

libfuzzer_sys::fuzz_target!(|data: &[u8]| chouette_iot_fuzz::run("http_answer", data));
