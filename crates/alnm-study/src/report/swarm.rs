//! Dots of all patients on a line for each variable, coloured by the variable's value.

use super::figure::{BOTTOM, HEIGHT, Panel, RIGHT, TOP, WIDTH, escape, number, opening, push, ticks};
use super::table::Table;

/// What a variable adds for each patient.
pub(super) struct Line {
    pub(super) name: String,
    /// Value and contribution of each patient.
    pub(super) patients: Vec<(f64, f64)>,
}

pub(super) fn swarm(name: &str, title: &str, x_label: &str, lines: &[Line]) -> Panel {
    let rows = lines.iter().flat_map(|line| {
        line.patients
            .iter()
            .map(|(value, contribution)| vec![line.name.clone(), value.to_string(), contribution.to_string()])
    });
    Panel {
        svg: svg(title, x_label, lines),
        data: Table::new(name, title, &["variable", "value", x_label], rows.collect()),
    }
}

fn svg(title: &str, x_label: &str, lines: &[Line]) -> String {
    const NAMES: f64 = 84.0;
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let contributions = || lines.iter().flat_map(|line| &line.patients).map(|(_, contribution)| *contribution);
    let range = (contributions().fold(-1e-9, f64::min), contributions().fold(1e-9, f64::max));
    let x = |value: f64| NAMES + 8.0 + (value - range.0) / (range.1 - range.0) * (right - NAMES - 16.0);
    let step = (bottom - TOP) / lines.len().max(1) as f64;
    let mut svg = opening(title);
    for tick in ticks(range) {
        let at = x(tick);
        push(&mut svg, format_args!("<line class='grid' x1='{at:.1}' y1='{TOP}' x2='{at:.1}' y2='{bottom}'/>"));
        push(
            &mut svg,
            format_args!("<text x='{at:.1}' y='{:.1}' text-anchor='middle'>{}</text>", bottom + 16.0, number(tick)),
        );
    }
    push(&mut svg, format_args!("<line x1='{0:.1}' y1='{TOP}' x2='{0:.1}' y2='{bottom}' stroke='#555'/>", x(0.0)));
    for (index, line) in lines.iter().enumerate() {
        let middle = TOP + step * (index as f64 + 0.5);
        push(
            &mut svg,
            format_args!(
                "<text x='{:.1}' y='{:.1}' text-anchor='end'>{}</text>",
                NAMES - 4.0,
                middle + 4.0,
                escape(&line.name)
            ),
        );
        let low = line.patients.iter().map(|p| p.0).fold(f64::INFINITY, f64::min);
        let high = line.patients.iter().map(|p| p.0).fold(f64::NEG_INFINITY, f64::max);
        for (patient, &(value, contribution)) in line.patients.iter().enumerate() {
            // Patients of a line are spread by a golden-ratio sequence, which is even and needs no random numbers.
            let spread = (patient as f64 * 0.618_033_988_75).fract() - 0.5;
            let share = if high > low { (value - low) / (high - low) } else { 0.5 };
            push(
                &mut svg,
                format_args!(
                    "<circle cx='{:.1}' cy='{:.1}' r='2' fill='{}' fill-opacity='0.75'/>",
                    x(contribution),
                    middle + spread * step * 0.7,
                    colour(share)
                ),
            );
        }
    }
    push(
        &mut svg,
        format_args!(
            "<text x='{:.1}' y='{:.1}' text-anchor='middle'>{}</text></svg>",
            (NAMES + right) / 2.0,
            HEIGHT - 10.0,
            escape(x_label)
        ),
    );
    svg
}

/// From blue for the lowest value to orange for the highest.
fn colour(share: f64) -> String {
    let mix = |low: f64, high: f64| (low + (high - low) * share).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(0.0, 230.0), mix(114.0, 110.0), mix(178.0, 0.0))
}
