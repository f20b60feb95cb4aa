//! The table that a run prints: what, measured, must reach, ratio; where there is one, the floor and the ratio to it.

use std::fmt::Write as _;

/// What was measured, once or several times.
#[derive(Clone, Default)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[n / 2],
            n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
        }
    }

    pub fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }

    pub fn greatest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }
}

impl From<f64> for Samples {
    fn from(sample: f64) -> Samples {
        Samples(vec![sample])
    }
}

/// Lines in the order they were measured, printed as they come and all together at the end.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 6]>,
}

const HEAD: [&str; 6] = ["what", "measured", "must reach", "ratio", "floor", "× floor"];

impl Table {
    /// A line with a bound: the ratio is measured ÷ bound, so at most 1 is good.
    pub fn row(&mut self, what: &str, measured: impl Into<Samples>, unit: &str, bound: f64) {
        let measured = measured.into();
        let ratio = format!("{:.2}", measured.median() / bound);
        self.push([what, &cell(&measured, unit), &format!("≤ {} {unit}", number(bound)), &ratio, "", ""]);
    }

    /// A line whose bound is a multiple of the floor.
    pub fn row_floor(&mut self, what: &str, measured: &Samples, unit: &str, floor: &Samples, bound: f64) {
        let times = measured.median() / floor.median();
        let [must, ratio] = [format!("≤ {bound} × floor"), format!("{:.2}", times / bound)];
        let [floor, times] = [cell(floor, unit), format!("{times:.2}")];
        self.push([what, &cell(measured, unit), &must, &ratio, &floor, &times]);
    }

    /// A line that has to reach nothing, or that could not be measured.
    pub fn note(&mut self, what: &str, said: &str) {
        self.push([what, said, "", "", "", ""]);
    }

    pub fn note_samples(&mut self, what: &str, measured: &Samples, unit: &str) {
        self.note(what, &cell(measured, unit));
    }

    fn push(&mut self, row: [&str; 6]) {
        eprintln!("  {}: {} {} {}", row[0], row[1], row[2], row[4]);
        self.rows.push(row.map(str::to_owned));
    }

    /// As Markdown, aligned.
    pub fn render(&self) -> String {
        let head = HEAD.map(str::to_owned);
        let width = |column: usize| {
            let cells = std::iter::once(&head).chain(&self.rows);
            cells.map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        let mut out = String::new();
        let mut line = |row: &[String; 6], fill: char| {
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(out, "| {cell}{} ", fill.to_string().repeat(width - cell.chars().count()));
            }
            out.push_str("|\n");
        };
        line(&head, ' ');
        line(&HEAD.map(|_| String::new()), '-');
        for row in &self.rows {
            line(row, ' ');
        }
        out
    }
}

/// The median; the least too where there are several.
fn cell(samples: &Samples, unit: &str) -> String {
    let median = number(samples.median());
    match samples.0.len() {
        0 => "not measured".to_owned(),
        1 => format!("{median} {unit}"),
        _ => format!("{median} {unit} (least {})", number(samples.least())),
    }
}

/// Three digits that count, more only before the point.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
