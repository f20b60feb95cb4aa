#![no_main]
//! The target `certificate` for libFuzzer.

libfuzzer_sys::fuzz_target!(|data: &[u8]| chouette_iot_fuzz::run("certificate", data));
