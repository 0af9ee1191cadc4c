//! The nomogram of a model.

use alnm_models::nomogram::Nomogram;

use super::figure::{Panel, WIDTH, escape, number, opening, push, ticks};
use super::tables::Table;

const NAMES: f64 = 118.0;
const ROW: f64 = 36.0;

/// An axis: its name, and marks with their place from 0 to 1.
type Axis = (String, Vec<(String, f64)>);

pub(super) fn nomogram(name: &str, title: &str, nomogram: &Nomogram) -> Panel {
    let axes = axes(nomogram);
    let rows =
        axes.iter().flat_map(|(axis, marks)| marks.iter().map(move |(mark, place)| vec![axis.clone(), mark.clone(), place.to_string()]));
    Panel { svg: svg(title, &axes), data: Table::new(name, title, &["axis", "mark", "place (0 to 1)"], rows.collect()) }
}

fn axes(nomogram: &Nomogram) -> Vec<Axis> {
    let scale =
        |(low, high): (f64, f64), place: &dyn Fn(f64) -> f64| ticks((low, high)).into_iter().map(|t| (number(t), place(t))).collect();
    let mut axes: Vec<Axis> = vec![("Points".to_owned(), scale((0.0, 100.0), &|points| points / 100.0))];
    for axis in &nomogram.axes {
        let unit = if axis.variable.unit.is_empty() { String::new() } else { format!(" ({})", axis.variable.unit) };
        let marks = scale((axis.minimum, axis.maximum), &|value| axis.points(value) / 100.0);
        axes.push((format!("{}{unit}", axis.variable.name), marks));
    }
    let largest = nomogram.largest_total;
    axes.push(("Total points".to_owned(), scale((0.0, largest), &|points| points / largest)));
    axes.push(("Risk".to_owned(), nomogram.risks.iter().map(|mark| (number(mark.risk), mark.total / largest)).collect()));
    axes
}

fn svg(title: &str, axes: &[Axis]) -> String {
    let mut svg = opening(title);
    for (row, (name, marks)) in axes.iter().enumerate() {
        let y = 42.0 + ROW * row as f64;
        let x = |place: f64| NAMES + place * (WIDTH - NAMES - 24.0);
        let ends = marks.iter().fold([1.0_f64, 0.0], |[low, high], mark| [low.min(mark.1), high.max(mark.1)]);
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
                push(&mut svg, format_args!("<text x='{at:.1}' y='{:.1}' text-anchor='middle' font-size='9.5'>{mark}</text>", y + 15.0));
                free = at + half + 2.0;
            }
        }
    }
    svg.push_str("</svg>");
    svg
}
