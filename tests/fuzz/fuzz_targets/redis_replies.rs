#![no_main]
//! The target `redis_replies` for libFuzzer.

libfuzzer_sys::fuzz_target!(|data: &[u8]| chouette_iot_fuzz::run("redis_replies", data));
