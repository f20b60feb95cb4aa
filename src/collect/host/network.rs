//! Bytes that went through each network interface since it came up, from `/proc/net/dev`:
//!
//! ```text
//! Inter-|   Receive                                                |  Transmit
//!  face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop …
//!     lo:    1111       5    0    0    0     0          0         0     1111       5    0    0
//! wlan0:42 1 0 0 0 0 0 0 917 3 0 0 0 0 0 0
//! ```
//!
//! Read are the first and the ninth column of every interface but `lo`. Old kernels leave no space after
//! the colon. Packets and errors are not read; rates are left to the server.
//!
//! Format: <https://man7.org/linux/man-pages/man5/proc_pid_net.5.html>

use super::format::{FormatError, number};
use super::read_of_board;
use crate::collect::{CollectError, Gauge, HostFiles};
use crate::limits::INTERFACES_MAX;
use crate::metric::{Number, Tags};

/// Bytes sent.
pub const SENT: &str = "Chouette.host.network.bytes.sent";
/// Bytes received.
pub const RECEIVED: &str = "Chouette.host.network.bytes.recv";

/// Columns between the received and the sent bytes.
const COLUMNS_BETWEEN: usize = 7;

/// Appends two values per interface, in the order of the file.
pub fn collect(files: &dyn HostFiles, out: &mut Vec<Gauge>, error: &mut CollectError) {
    let (path, text) = read_of_board(files, "net/dev");
    let Some(text) = error.keep(&path, text) else {
        return;
    };
    let lines = text.lines().filter_map(|line| line.rsplit_once(':'));
    let interfaces = lines.map(|(name, columns)| (name.trim(), columns));
    let interfaces = interfaces.filter(|(name, _)| *name != "lo" && !name.is_empty());
    for (i, (name, columns)) in interfaces.enumerate() {
        if i == INTERFACES_MAX {
            error.add(&path, FormatError::TooMany { what: "interfaces", max: INTERFACES_MAX });
            break;
        }
        let Some((received, sent)) = error.keep(&format!("{path} {name}"), parse(columns)) else {
            continue;
        };
        let tags = Tags::from_strings(&[format!("iface:{name}")]);
        let value = |bytes: u64| Number::Int(bytes.into());
        out.push(Gauge { name: SENT, tags: tags.clone(), value: value(sent) });
        out.push(Gauge { name: RECEIVED, tags, value: value(received) });
    }
}

/// Bytes received and sent.
fn parse(columns: &str) -> Result<(u64, u64), FormatError> {
    let mut words = columns.split_ascii_whitespace();
    let received = number("bytes received", words.next())?;
    let sent = number("bytes sent", words.nth(COLUMNS_BETWEEN))?;
    Ok((received, sent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::fake::FakeBoard;

    fn read(board: &FakeBoard) -> (Vec<String>, String) {
        let (mut out, mut error) = (Vec::new(), CollectError::default());
        collect(board, &mut out, &mut error);
        let show = |g: &Gauge| {
            let direction = g.name.rsplit('.').next().unwrap();
            format!("{} {direction} {}", g.tags.as_str(), g.value.as_f64())
        };
        (out.iter().map(show).collect(), error.to_string())
    }

    #[test]
    fn every_interface_but_lo_even_at_zero() {
        let text = "Inter-| Receive | Transmit\n face |bytes packets|bytes packets\n\
                    \x20   lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n\
                    wlan0:42 1 0 0 0 0 0 0 18446744073709551615 0 0 0 0 0 0 0\n\
                    docker0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        let (gauges, error) = read(&FakeBoard::new(&[("proc/net/dev", text)]));
        assert_eq!(error, "");
        assert_eq!(
            gauges,
            [
                r#"["iface:wlan0"] sent 18446744073709552000"#,
                r#"["iface:wlan0"] recv 42"#,
                r#"["iface:docker0"] sent 0"#,
                r#"["iface:docker0"] recv 0"#,
            ]
        );
    }

    #[test]
    fn one_bad_line_costs_only_its_interface() {
        let text = "eth0: 1 2 3\neth1: x 0 0 0 0 0 0 0 1\neth2: 3 0 0 0 0 0 0 0 4\n";
        let (gauges, error) = read(&FakeBoard::new(&[("proc/net/dev", text)]));
        assert_eq!(gauges, [r#"["iface:eth2"] sent 4"#, r#"["iface:eth2"] recv 3"#]);
        assert_eq!(
            error,
            "proc/net/dev eth0: bytes sent is missing; \
             proc/net/dev eth1: bytes received is no number: \"x\""
        );
    }

    #[test]
    fn a_foreign_board_is_seen_through_process_one() {
        let files =
            [("proc/1/net/dev", "eth0: 1 0 0 0 0 0 0 0 2"), ("proc/net/dev", "eth9: 8 0 0 0 0 0 0 0 9")];
        let mut board = FakeBoard::new(&files);
        assert!(read(&board).0[0].contains("eth9"));
        board.foreign = true;
        assert!(read(&board).0[0].contains("eth0"));
        board.files.remove("proc/1/net/dev");
        assert!(read(&board).0[0].contains("eth9"));
    }

    #[test]
    fn interfaces_are_bounded() {
        let line = |i| format!("veth{i}: 1 0 0 0 0 0 0 0 2\n");
        let text: String = (0..=INTERFACES_MAX).map(line).collect();
        let (gauges, error) = read(&FakeBoard::new(&[("proc/net/dev", &text)]));
        assert_eq!(gauges.len(), 2 * INTERFACES_MAX);
        assert_eq!(error, "proc/net/dev: only the first 256 interfaces are read");
    }
}
