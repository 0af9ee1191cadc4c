//! A square of correlations.

use super::figure::{HEIGHT, Panel, TOP, WIDTH, escape, opening, push};
use super::table::Table;

pub(super) fn heat_map(name: &str, title: &str, names: &[String], correlations: &[Vec<f64>]) -> Panel {
    let header: Vec<&str> = std::iter::once("feature").chain(names.iter().map(String::as_str)).collect();
    let row = |(name, row): (&String, &Vec<f64>)| {
        std::iter::once(name.clone()).chain(row.iter().map(f64::to_string)).collect()
    };
    let rows = names.iter().zip(correlations).map(row).collect();
    Panel { svg: svg(title, names, correlations), data: Table::new(name, title, &header, rows) }
}

fn svg(title: &str, names: &[String], correlations: &[Vec<f64>]) -> String {
    const NAMES: f64 = 150.0;
    let side =
        ((WIDTH - NAMES - 10.0) / names.len().max(1) as f64).min((HEIGHT - TOP - 30.0) / names.len().max(1) as f64);
    let mut svg = opening(title);
    // Names of features are long; they are shown whole, in letters that fit.
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(1) as f64;
    let size = ((NAMES - 6.0) / (0.56 * longest)).min(side).clamp(4.0, 9.0);
    for (i, row) in correlations.iter().enumerate() {
        let y = TOP + side * i as f64;
        let baseline = y + side * 0.7;
        push(
            &mut svg,
            format_args!(
                "<text x='{:.1}' y='{baseline:.1}' text-anchor='end' font-size='{size:.1}'>{}</text>",
                NAMES - 4.0,
                escape(&names[i])
            ),
        );
        for (j, &r) in row.iter().enumerate() {
            push(
                &mut svg,
                format_args!(
                    "<rect x='{:.1}' y='{y:.1}' width='{side:.1}' height='{side:.1}' fill='{}'><title>{} and {}: {r:.2}</title></rect>",
                    NAMES + side * j as f64,
                    colour(r),
                    escape(&names[i]),
                    escape(&names[j])
                ),
            );
        }
    }
    let y = HEIGHT - 10.0;
    for (place, r) in [-1.0, -0.5, 0.0, 0.5, 1.0].into_iter().enumerate() {
        let x = NAMES + 52.0 * place as f64;
        push(&mut svg, format_args!("<rect x='{x}' y='{}' width='12' height='12' fill='{}'/>", y - 10.0, colour(r)));
        push(&mut svg, format_args!("<text x='{}' y='{y}'>{r}</text>", x + 16.0));
    }
    svg.push_str("</svg>");
    svg
}

/// Blue below 0, orange above, white at 0: the two ends differ for colour-blind readers too.
fn colour(correlation: f64) -> String {
    let end = if correlation < 0.0 { [0.0, 114.0, 178.0] } else { [213.0, 94.0, 0.0] };
    let share = correlation.abs().min(1.0);
    let [r, g, b] = end.map(|channel| (255.0 + (channel - 255.0) * share).round() as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}
