//! Forest plots: odds ratios with intervals on a logarithmic axis.

use super::figure::{BOTTOM, COLOURS, HEIGHT, Panel, RIGHT, TOP, WIDTH, escape, number, opening, push};
use super::table::Table;

/// An odds ratio with its interval.
pub(super) struct Ratio {
    pub(super) name: String,
    pub(super) estimate: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// Width of the names.
const NAMES: f64 = 120.0;
/// Width of the printed figures.
const FIGURES: f64 = 118.0;

pub(super) fn forest(name: &str, title: &str, ratios: &[Ratio]) -> Panel {
    let rows = ratios
        .iter()
        .map(|r| [vec![r.name.clone()], [r.estimate, r.lower, r.upper].map(|v| v.to_string()).to_vec()].concat());
    Panel {
        svg: svg(title, ratios),
        data: Table::new(name, title, &["variable", "odds ratio", "lower", "upper"], rows.collect()),
    }
}

fn svg(title: &str, ratios: &[Ratio]) -> String {
    let logs = || ratios.iter().flat_map(|r| [r.lower, r.upper]).filter(|v| v.is_finite() && *v > 0.0).map(f64::log10);
    let low = logs().fold(-0.3, f64::min);
    let high = logs().fold(0.3, f64::max);
    let right = WIDTH - RIGHT - FIGURES;
    let x = |ratio: f64| NAMES + (ratio.max(1e-300).log10().clamp(low, high) - low) / (high - low) * (right - NAMES);
    let bottom = HEIGHT - BOTTOM;
    let step = (bottom - TOP) / ratios.len().max(1) as f64;
    let mut svg = opening(title);
    // At most about six marks: 1, 2 and 5 of every decade, every decade, or every few.
    let factors: &[f64] = if high - low < 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let decades = ((high - low) / 6.0).ceil() as usize;
    for decade in (-300..=300).step_by(decades) {
        for factor in factors {
            let ratio = factor * 10f64.powi(decade);
            if (low..=high).contains(&ratio.log10()) {
                push(
                    &mut svg,
                    format_args!("<line class='grid' x1='{0:.1}' y1='{TOP}' x2='{0:.1}' y2='{bottom}'/>", x(ratio)),
                );
                let at = bottom + 16.0;
                push(
                    &mut svg,
                    format_args!("<text x='{:.1}' y='{at}' text-anchor='middle'>{}</text>", x(ratio), number(ratio)),
                );
            }
        }
    }
    push(
        &mut svg,
        format_args!(
            "<line x1='{0:.1}' y1='{TOP}' x2='{0:.1}' y2='{bottom}' stroke='#555' stroke-dasharray='4 3'/>",
            x(1.0)
        ),
    );
    for (index, r) in ratios.iter().enumerate() {
        let y = TOP + step * (index as f64 + 0.5);
        push(
            &mut svg,
            format_args!(
                "<text x='{:.1}' y='{:.1}' text-anchor='end'>{}</text>",
                NAMES - 6.0,
                y + 4.0,
                escape(&r.name)
            ),
        );
        let colour = COLOURS[1];
        push(
            &mut svg,
            format_args!(
                "<line x1='{:.1}' y1='{y:.1}' x2='{:.1}' y2='{y:.1}' stroke='{colour}'/>",
                x(r.lower),
                x(r.upper)
            ),
        );
        let side = 7.0;
        let corner = side / 2.0;
        push(
            &mut svg,
            format_args!(
                "<rect x='{:.1}' y='{:.1}' width='{side}' height='{side}' fill='{colour}'/>",
                x(r.estimate) - corner,
                y - corner
            ),
        );
        let figures = format!("{} ({}, {})", figure(r.estimate), figure(r.lower), figure(r.upper));
        push(&mut svg, format_args!("<text x='{:.1}' y='{:.1}' font-size='10'>{figures}</text>", right + 8.0, y + 4.0));
    }
    let middle = (NAMES + right) / 2.0;
    push(
        &mut svg,
        format_args!("<text x='{middle:.1}' y='{:.1}' text-anchor='middle'>odds ratio</text></svg>", HEIGHT - 10.0),
    );
    svg
}

/// Three digits.
fn figure(value: f64) -> String {
    match value {
        v if !(1e-3..1e4).contains(&v) => format!("{v:.1e}"),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}
