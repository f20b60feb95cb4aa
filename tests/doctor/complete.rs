//! No advice without a test.

use chouette_iot::doctor::Trouble;

#[test]
fn each_piece_of_advice_is_reached_by_a_test() {
    let tests = [
        include_str!("intake.rs"),
        include_str!("local.rs"),
        include_str!("network.rs"),
        include_str!("plugins.rs"),
        include_str!("redis.rs"),
        include_str!("start.rs"),
    ];
    let is_named = |name: &str| {
        let name = format!("Trouble::{name}");
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
        tests.iter().any(|text| text.split(&name).skip(1).any(ends))
    };
    let names = Trouble::ALL.iter().map(|trouble| format!("{trouble:?}"));
    let missing: Vec<String> = names.filter(|name| !is_named(name)).collect();
    assert!(missing.is_empty(), "no test reaches {}", missing.join(", "));
}
