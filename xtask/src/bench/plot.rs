//! The plot that the README shows: CPU per call of each library, as bars, where tonic is 1.

use super::programs::{self, LIBRARIES};
use super::record::{Entry, MEASURE, Row};
use super::values::Metric;
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 300.0;
const BAR: f64 = 11.0;
const GAP: f64 = 12.0;
const TOP: f64 = 62.0;
/// Of a bar as long as tonic's.
const UNIT: f64 = 250.0;
/// Longer bars are cut, their number says how long they are.
const LONGEST: f64 = 2.0;

/// A colour for each library that is seen on light and on dark paper.
const COLOURS: &[(&str, &str)] = &[
    ("trunkline", "#d9480f"),
    ("trunkline-h2", "#f59f00"),
    ("h2", "#868e96"),
    ("tonic", "#1c7ed6"),
    ("connect", "#7048e8"),
    ("grpc-go", "#0ca678"),
];

/// The cells that are drawn.
const SHOWN: &[&str] = &[
    "server-unary-64-c8-s10",
    "server-unary-1k-c8-s10",
    "server-unary-64-c8-s10-mt",
    "client-unary-64-c1-s100",
    "client-unary-64-c1-s100-mt",
    "server-ready-64-c4-s4",
    "server-ping-pong-64-c8-s10",
    "server-large-64k-c4-s4",
];

/// An SVG; what has not been measured is left out.
pub(super) fn draw(rows: &[Row]) -> String {
    let find = |name: &&str| rows.iter().find(|row| row.name == *name);
    let shown: Vec<&Row> = SHOWN.iter().filter_map(find).collect();
    let mut body = String::new();
    let mut y = TOP;
    for row in shown {
        let entries: Vec<(&Entry, f64)> = row
            .entries
            .iter()
            .filter_map(|entry| Some((entry, entry.ratios.get(&Metric::Cpu)?.median)))
            .collect();
        let bars: f64 = entries.iter().map(|_| BAR).sum();
        let middle = y + bars / 2.0 + 4.0;
        text(&mut body, LEFT - 12.0, middle, "end", &row.title);
        for (entry, ratio) in entries {
            bar(&mut body, y, entry, ratio);
            y += BAR;
        }
        y += GAP;
    }
    let height = y + 8.0;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">"
    );
    out.push_str(
        "<style>text{fill:#343a40}.axis{stroke:#868e96;stroke-dasharray:3 3}\
         @media(prefers-color-scheme:dark){text{fill:#ced4da}}</style>\n",
    );
    text(
        &mut out,
        12.0,
        20.0,
        "start",
        "CPU for each call or message, to tonic; less is better",
    );
    legend(&mut out);
    let one = LEFT + UNIT;
    let _ = writeln!(
        out,
        "<line class=\"axis\" x1=\"{one}\" y1=\"{}\" x2=\"{one}\" y2=\"{}\"/>",
        TOP - 8.0,
        height - 12.0
    );
    out.push_str(&body);
    out.push_str("</svg>\n");
    out
}

fn bar(out: &mut String, y: f64, entry: &Entry, ratio: f64) {
    let length = (ratio.min(LONGEST) * UNIT).max(1.0);
    let _ = writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{}\"/>",
        BAR - 2.0,
        colour(&entry.library)
    );
    let us = entry.values.get(&Metric::Cpu).copied().unwrap_or(f64::NAN);
    let label = if entry.library == MEASURE {
        format!("{} µs", Metric::Cpu.show(us))
    } else {
        format!("{ratio:.2}")
    };
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{}\" font-size=\"10\">{label}</text>",
        LEFT + length + 5.0,
        y + BAR - 3.0
    );
}

fn legend(out: &mut String) {
    let mut x = 12.0;
    for library in LIBRARIES {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"32\" width=\"10\" height=\"10\" fill=\"{}\"/>",
            colour(library.name)
        );
        let title = programs::title(library.name);
        text(out, x + 15.0, 41.0, "start", title);
        let letters = u32::try_from(title.chars().count()).unwrap_or(0);
        x += 36.0 + 6.8 * f64::from(letters);
    }
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

fn colour(library: &str) -> &'static str {
    let found = COLOURS.iter().find(|(name, _)| *name == library);
    found.map_or("#868e96", |(_, colour)| colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cells::CELLS;
    use crate::bench::machine::Machine;
    use crate::bench::results::Spread;
    use crate::bench::values::Values;
    use std::collections::BTreeMap;

    #[test]
    fn cells_that_are_drawn_exist_and_every_library_has_a_colour() {
        for name in SHOWN {
            assert!(CELLS.iter().any(|cell| cell.name == *name), "{name}");
        }
        for library in LIBRARIES {
            assert!(COLOURS.iter().any(|(name, _)| *name == library.name));
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_ratio() {
        let spread = Spread {
            median: 0.5,
            least: 0.4,
            greatest: 0.6,
        };
        let row = Row {
            name: "server-unary-64-c8-s10".to_owned(),
            title: "a < b".to_owned(),
            metric: Metric::Cpu,
            rounds: 1,
            machine: Machine::default(),
            entries: vec![Entry {
                library: "trunkline".to_owned(),
                values: Values::from([(Metric::Cpu, 1.0)]),
                ratios: BTreeMap::from([(Metric::Cpu, spread)]),
            }],
            verdicts: Vec::new(),
        };
        let svg = draw(&[row]);
        assert!(svg.contains("width=\"125.0\""), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.ends_with("</svg>\n"));
    }
}
