//! The nomogram of a model.

use alnm_models::nomogram::Nomogram;

use super::figure::{Panel, WIDTH, escape, number, opening, push, ticks};
use super::table::Table;

const NAMES: f64 = 118.0;
const ROW: f64 = 36.0;

/// An axis with the places, from 0 to 1, of its ends and marks.
struct Axis {
    name: String,
    ends: [f64; 2],
    marks: Vec<(String, f64)>,
}

impl Axis {
    /// An axis from `low` to `high` with round marks.
    fn new(name: &str, low: f64, high: f64, place: impl Fn(f64) -> f64) -> Self {
        let marks = ticks((low, high)).into_iter().map(|tick| (number(tick), place(tick))).collect();
        Self { name: name.to_owned(), ends: [place(low), place(high)], marks }
    }
}

pub(super) fn nomogram(name: &str, title: &str, nomogram: &Nomogram) -> Panel {
    let axes = axes(nomogram);
    let of_axis = |axis: &Axis| {
        let row = |(mark, place): &(String, f64)| vec![axis.name.clone(), mark.clone(), place.to_string()];
        axis.marks.iter().map(row).collect::<Vec<_>>()
    };
    let rows = axes.iter().flat_map(of_axis);
    Panel { svg: svg(title, &axes), data: Table::new(name, title, &["axis", "mark", "place (0 to 1)"], rows.collect()) }
}

fn axes(nomogram: &Nomogram) -> Vec<Axis> {
    let mut axes = vec![Axis::new("Points", 0.0, 100.0, |points| points / 100.0)];
    for axis in nomogram.axes() {
        let unit = if axis.variable.unit.is_empty() { String::new() } else { format!(" ({})", axis.variable.unit) };
        let name = format!("{}{unit}", axis.variable.name);
        axes.push(Axis::new(&name, axis.minimum, axis.maximum, |value| axis.points(value) / 100.0));
    }
    let largest = nomogram.largest_total();
    axes.push(Axis::new("Total points", 0.0, largest, |points| points / largest));
    let marks: Vec<(String, f64)> =
        nomogram.risks().iter().map(|mark| (number(mark.risk), mark.total / largest)).collect();
    let ends = [marks.first(), marks.last()].map(|mark| mark.map_or(0.0, |(_, place)| *place));
    axes.push(Axis { name: "Risk".to_owned(), ends, marks });
    axes
}

fn svg(title: &str, axes: &[Axis]) -> String {
    let mut svg = opening(title);
    for (row, Axis { name, ends, marks }) in axes.iter().enumerate() {
        let y = 42.0 + ROW * row as f64;
        let x = |place: f64| NAMES + place * (WIDTH - NAMES - 24.0);
        push(&mut svg, format_args!("<text x='4' y='{:.1}'>{}</text>", y + 4.0, escape(name)));
        push(&mut svg, format_args!("<path class='axis' d='M{:.1} {y:.1}H{:.1}'/>", x(ends[0]), x(ends[1])));
        let mut free = f64::NEG_INFINITY;
        let mut ordered: Vec<&(String, f64)> = marks.iter().collect();
        ordered.sort_by(|a, b| a.1.total_cmp(&b.1));
        for (mark, place) in ordered {
            let at = x(*place);
            push(&mut svg, format_args!("<path class='axis' d='M{at:.1} {y:.1}v4'/>"));
            // A mark whose figure would touch the one before keeps its line alone.
            let half = 3.0 * mark.len() as f64;
            if at - half > free {
                push(
                    &mut svg,
                    format_args!(
                        "<text x='{at:.1}' y='{:.1}' text-anchor='middle' font-size='9.5'>{mark}</text>",
                        y + 15.0
                    ),
                );
                free = at + half + 2.0;
            }
        }
    }
    svg.push_str("</svg>");
    svg
}
