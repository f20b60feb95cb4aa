//! Cost against backlog as a picture, `cost.svg`: time and memory, ours and the floor's, all axes logarithmic.

use crate::aggregate::Point;
use crate::support::repository;
use std::fmt::Write as _;

const FILE: &str = "tests/bench/cost.svg";
const LEFT: f64 = 70.0;
const TOP: f64 = 46.0;
const PANEL: (f64, f64) = (330.0, 250.0);
const BETWEEN: f64 = 120.0;
const DOWN: f64 = 62.0;
/// A quick run has fewer.
const POINTS_MIN: usize = 5;
/// From one name of a curve to the next.
const LINE: f64 = 15.0;

/// A line: its name, colour, and a value for each backlog.
type Curve<'a> = (&'a str, &'a str, Vec<f64>);

/// One of the two pictures.
struct Panel<'a> {
    title: &'a str,
    /// The decades of the axis that goes up, and what its numbers are called.
    decades: (i32, i32),
    label: fn(i32) -> String,
    curves: Vec<Curve<'a>>,
}

/// Writes the picture that the README shows; nothing where there are but a few points.
pub fn write(points: &[Point]) {
    if points.len() < POINTS_MIN {
        return;
    }
    let of = |value: fn(&Point) -> f64| points.iter().map(value).collect::<Vec<f64>>();
    let time = Panel {
        title: "time",
        decades: (-3, 1),
        label: |decade| {
            if decade < 0 {
                format!("{} ms", 10f64.powi(decade + 3))
            } else {
                format!("{} s", 10f64.powi(decade))
            }
        },
        curves: vec![
            ("agent, wall", "#2563eb", of(|point| point.ours.wall_ms / 1e3)),
            ("agent, CPU", "#60a5fa", of(|point| point.ours.cpu_ms / 1e3)),
            ("floor, wall", "#d97706", of(|point| point.floor.cost.wall_ms / 1e3)),
        ],
    };
    let memory = Panel {
        title: "peak memory",
        decades: (0, 3),
        label: |decade| format!("{} MB", 10f64.powi(decade)),
        curves: vec![
            ("agent", "#2563eb", of(|point| point.peak_mb)),
            ("floor", "#d97706", of(|point| point.floor.peak_mb)),
        ],
    };
    let backlogs = of(|point| point.records as f64);
    let (width, height) = (LEFT * 2.0 + PANEL.0 * 2.0 + BETWEEN, TOP + PANEL.1 + DOWN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>What aggregating a backlog costs</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    draw(&mut out, LEFT, &backlogs, &time);
    draw(&mut out, LEFT + PANEL.0 + BETWEEN, &backlogs, &memory);
    out.push_str("</svg>\n");
    std::fs::write(repository(FILE), out).unwrap();
}

fn draw(out: &mut String, left: f64, backlogs: &[f64], panel: &Panel) {
    let (from, to) = (backlogs[0].log10(), backlogs[backlogs.len() - 1].log10());
    let x = |backlog: f64| left + (backlog.log10() - from) / (to - from) * PANEL.0;
    let (low, high) = (f64::from(panel.decades.0), f64::from(panel.decades.1));
    let bottom = TOP + PANEL.1;
    let y = |value: f64| bottom - (value.log10().clamp(low, high) - low) / (high - low) * PANEL.1;
    let right = left + PANEL.0;
    let _ = writeln!(
        out,
        "<text x=\"{left}\" y=\"24\" font-size=\"15\" font-weight=\"bold\" fill=\"#111827\">{}</text>",
        panel.title
    );
    for decade in panel.decades.0..=panel.decades.1 {
        let at = y(10f64.powi(decade));
        let _ = writeln!(out, "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#d1d5db\"/>");
        let label = (panel.label)(decade);
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#374151\">{label}</text>",
            left - 8.0,
            at + 4.0
        );
    }
    for decade in from.ceil() as i32..=to.floor() as i32 {
        let backlog = 10f64.powi(decade);
        let at = x(backlog);
        let _ = writeln!(out, "<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#d1d5db\"/>");
        let _ = writeln!(
            out,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#374151\">{backlog}</text>",
            bottom + 18.0
        );
    }
    let middle = left + PANEL.0 / 2.0;
    let _ = writeln!(
        out,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" fill=\"#374151\">records waiting</text>",
        bottom + 38.0
    );
    let mut names = Vec::new();
    for (name, colour, values) in &panel.curves {
        let points: Vec<(f64, f64)> =
            backlogs.iter().zip(values).map(|(backlog, value)| (x(*backlog), y(*value))).collect();
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for (x, y) in &points {
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
        names.push((points[points.len() - 1].1 + 4.0, name, colour));
    }
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut above = f64::NEG_INFINITY;
    for (at, name, colour) in names {
        above = at.max(above + LINE);
        let _ = writeln!(out, "<text x=\"{}\" y=\"{above:.1}\" fill=\"{colour}\">{name}</text>", right + 8.0);
    }
}
