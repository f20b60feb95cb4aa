#![no_main]
//! The target `proxy_answer` for libFuzzer.

libfuzzer_sys::fuzz_target!(|data: &[u8]| chouette_iot_fuzz::run("proxy_answer", data));
