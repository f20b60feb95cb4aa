//! Three facts of a certificate: who signed it, and from when to when it holds. No crate that is linked tells them.
//!
//! A certificate is DER ([RFC 5280, 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)): a value is a tag, a
//! length and so many bytes, and what is read here stands in a fixed order:
//!
//! ```text
//! SEQUENCE { SEQUENCE { [0] version?, serial, algorithm, issuer, SEQUENCE { notBefore, notAfter }, …
//! ```
//!
//! Whether the certificate is right is not looked at: `rustls` has done that.

use crate::protocol::http::days_since_epoch;

/// What is read of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The common name of who signed it, or else the organisation; what is no UTF-8 in it is replaced.
    pub issuer: Option<String>,
    /// From when it holds, Unix seconds.
    pub not_before_s: u64,
    /// Until when, Unix seconds.
    pub not_after_s: u64,
}

const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
/// `id-at-commonName` and `id-at-organizationName`.
const NAMES: [&[u8]; 2] = [&[0x55, 0x04, 0x03], &[0x55, 0x04, 0x0a]];

/// Reads a certificate; `None` where it is none.
#[inline(never)]
pub fn facts(der: &[u8]) -> Option<Facts> {
    let mut certificate = inside(&mut &*der, SEQUENCE)?;
    let mut signed = inside(&mut certificate, SEQUENCE)?;
    if signed.first() == Some(&VERSION) {
        inside(&mut signed, VERSION)?;
    }
    inside(&mut signed, INTEGER)?;
    inside(&mut signed, SEQUENCE)?;
    let issuer = inside(&mut signed, SEQUENCE)?;
    let mut validity = inside(&mut signed, SEQUENCE)?;
    let (not_before_s, not_after_s) = (time(&mut validity)?, time(&mut validity)?);
    let issuer = NAMES.iter().find_map(|name| attribute(issuer, name));
    Some(Facts { issuer, not_before_s, not_after_s })
}

/// Takes the next value: its tag and its content.
fn take<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[tag, first], mut after) = rest.split_first_chunk::<2>()?;
    let mut length = usize::from(first);
    if first > 0x80 {
        let (bytes, behind) = after.split_at_checked(length - 0x80)?;
        // No certificate has 4 GiB.
        let is_short = bytes.len() <= 4;
        length = is_short.then(|| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))?;
        after = behind;
    }
    let (content, behind) = after.split_at_checked(length)?;
    *rest = behind;
    Some((tag, content))
}

#[inline(never)]
fn inside<'a>(rest: &mut &'a [u8], wanted: u8) -> Option<&'a [u8]> {
    take(rest).filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
}

/// The value of the first attribute of this kind in a name: sets of pairs of kind and value.
fn attribute(mut name: &[u8], wanted: &[u8]) -> Option<String> {
    while let Some(mut set) = inside(&mut name, SET) {
        while let Some(mut pair) = inside(&mut set, SEQUENCE) {
            if inside(&mut pair, OBJECT)? == wanted {
                return take(&mut pair).map(|(_, text)| String::from_utf8_lossy(text).into_owned());
            }
        }
    }
    None
}

/// `260704120000Z`, years from 1950 to 2049, or `20500704120000Z`. Before 1970 is 1970.
fn time(rest: &mut &[u8]) -> Option<u64> {
    let (tag, text) = take(rest)?;
    let digits = text.strip_suffix(b"Z")?;
    let first = match (tag, digits.len()) {
        (GENERALIZED_TIME, 14) => 0,
        (UTC_TIME, 12) => 1,
        _ => return None,
    };
    let mut pairs = [0; 7];
    for (number, pair) in pairs.iter_mut().skip(first).zip(digits.chunks_exact(2)) {
        let [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = pair else { return None };
        *number = u64::from(tens - b'0') * 10 + u64::from(ones - b'0');
    }
    let [century, year, month, day, hour, minute, second] = pairs;
    let century = match first {
        0 => century,
        _ if year < 50 => 20,
        _ => 19,
    };
    let year = century * 100 + year;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    match year {
        ..1970 => Some(0),
        _ => Some(days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second),
    }
}

/// `2026-07-04` of Unix seconds.
pub fn date(unix_s: u64) -> String {
    // By years that begin in March, as in `days_since_epoch`: 400 of them have 146,097 days.
    let days = unix_s / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let (month, carry) = if shifted < 10 { (shifted + 3, 0) } else { (shifted - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year_of_era + carry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn certificate(names: &[(DnType, &str)], from: i32, to: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["intake.test".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        names.iter().for_each(|(kind, name)| params.distinguished_name.push(kind.clone(), *name));
        params.not_before = rcgen::date_time_ymd(from, 2, 28);
        params.not_after = rcgen::date_time_ymd(to, 7, 4);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn issuer_and_dates_are_read() {
        let der =
            certificate(&[(DnType::OrganizationName, "Org"), (DnType::CommonName, "Käse CA")], 2024, 2031);
        let found = facts(&der).unwrap();
        assert_eq!(found.issuer.as_deref(), Some("Käse CA"));
        assert_eq!(
            (date(found.not_before_s), date(found.not_after_s)),
            ("2024-02-28".into(), "2031-07-04".into())
        );
        let der = certificate(&[(DnType::CountryName, "AT"), (DnType::OrganizationName, "Org")], 1965, 2150);
        let found = facts(&der).unwrap();
        assert_eq!((found.issuer.as_deref(), found.not_before_s), (Some("Org"), 0));
        assert_eq!(date(found.not_after_s), "2150-07-04");
        assert_eq!(facts(&certificate(&[], 2024, 2031)).unwrap().issuer, None);
    }

    #[test]
    fn what_is_none_is_none_and_nothing_panics() {
        let der = certificate(&[(DnType::CommonName, "CA")], 2024, 2031);
        // Behind the dates nothing is read.
        assert!((0..80).all(|bytes| facts(&der[..bytes]).is_none()));
        let mut changed = der.clone();
        for at in 0..der.len().min(120) {
            for byte in 0..=255 {
                changed[at] = byte;
                let _ = facts(&changed);
            }
            changed[at] = der[at];
        }
        for der in [
            &b""[..],
            b"\x30",
            b"\x30\x80",
            b"\x30\x85\x01\x01\x01\x01\x01",
            b"\x30\xff",
            b"\x30\x84\xff\xff\xff\xff",
        ] {
            assert_eq!(facts(der), None);
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix_s, text) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (1_709_251_200, "2024-03-01"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(date(unix_s), text);
        }
        for (text, unix_s) in [
            (&b"\x17\x0d700101000000Z"[..], Some(0)),
            (b"\x17\x0d991231235959Z", Some(946_684_799)),
            (b"\x18\x0f20500101000000Z", Some(2_524_608_000)),
            (b"\x17\x0d701301000000Z", None),
            (b"\x17\x0d7001010000+0Z", None),
            (b"\x17\x0b7001010000Z", None),
            (b"\x04\x0d700101000000Z", None),
        ] {
            assert_eq!(time(&mut &*text), unix_s);
        }
    }
}
