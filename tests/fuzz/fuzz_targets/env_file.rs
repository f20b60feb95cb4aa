#![no_main]
//! The target `env_file` for libFuzzer.

libfuzzer_sys::fuzz_target!(|data: &[u8]| chouette_iot_fuzz::run("env_file", data));
