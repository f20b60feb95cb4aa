//! Certificates that a server shows to the doctor.

use chouette_iot::doctor::certificate::{date, facts};

/// What [`super::TARGETS`] calls `certificate`.
pub fn certificate(data: &[u8]) {
    let Some(found) = facts(data) else { return };
    for unix_s in [found.not_before_s, found.not_after_s] {
        let text = date(unix_s);
        assert!(text.len() == 10 && (1970..=10_000).contains(&text[..4].parse().unwrap()), "{text}");
    }
    // A replaced byte is three.
    assert!(found.issuer.as_ref().is_none_or(|issuer| issuer.len() <= 3 * data.len()));
    // What stands behind is not looked at.
    assert_eq!(facts(&[data, b"\0"].concat()).as_ref(), Some(&found));
}
