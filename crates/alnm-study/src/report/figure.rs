//! Line charts and bar charts as SVG, with their data as tables.

use std::fmt::Write;

use super::table::Table;

/// One picture of a figure, and the figures that it draws.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Panel {
    /// An SVG element.
    pub svg: String,
    /// What it shows, number by number; its file name is the panel's.
    pub data: Table,
}

/// Colours that stay apart for colour-blind readers (Okabe and Ito 2008, and greys).
pub const COLOURS: [&str; 10] =
    ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f00", "#8c8c8c", "#7a4fbf", "#000000"];

pub(super) const WIDTH: f64 = 460.0;
pub(super) const HEIGHT: f64 = 380.0;
pub(super) const LEFT: f64 = 62.0;
pub(super) const RIGHT: f64 = 16.0;
pub(super) const TOP: f64 = 34.0;
pub(super) const BOTTOM: f64 = 48.0;
/// Height of a line of the legend.
const LEGEND_LINE: f64 = 14.0;

/// A line through points; without a line the points are dots with error bars.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlottedSeries {
    /// Name in the legend; none where empty.
    pub name: String,
    /// Points.
    pub points: Vec<(f64, f64)>,
    /// Colour.
    pub colour: &'static str,
    /// Dashes.
    pub dashed: bool,
    /// Lower and upper ends of error bars, one pair per point; the points are then drawn as dots.
    pub bars: Option<Vec<(f64, f64)>>,
}

impl PlottedSeries {
    /// A line.
    #[must_use]
    pub fn line(name: &str, points: Vec<(f64, f64)>, colour: &'static str) -> Self {
        Self { name: name.to_owned(), points, colour, dashed: false, bars: None }
    }

    /// The same line in dashes.
    #[must_use]
    pub fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }

    /// The points as dots with error bars.
    #[must_use]
    pub fn with_bars(mut self, bars: Vec<(f64, f64)>) -> Self {
        self.bars = Some(bars);
        self
    }
}

/// A chart with linear axes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Chart {
    /// Title.
    pub title: String,
    /// Label of the horizontal axis.
    pub x_label: String,
    /// Label of the vertical axis.
    pub y_label: String,
    /// Range of the horizontal axis.
    pub x_range: (f64, f64),
    /// Range of the vertical axis.
    pub y_range: (f64, f64),
    /// The series.
    pub series: Vec<PlottedSeries>,
    /// Places on the horizontal axis marked by a vertical line.
    pub marks: Vec<f64>,
    /// Texts above the plotted area, with their places on the horizontal axis.
    pub above: Vec<(f64, String)>,
    /// Lines of text below the legend.
    pub notes: Vec<String>,
}

impl Chart {
    /// A chart whose ranges hold all finite points, error bars included, with a little room.
    #[must_use]
    pub fn around(title: &str, x_label: &str, y_label: &str, series: Vec<PlottedSeries>) -> Self {
        let points = || series.iter().flat_map(|s| s.points.iter());
        let bars = series.iter().filter_map(|s| s.bars.as_ref()).flatten().flat_map(|&(low, high)| [low, high]);
        let x_range = range(points().map(|p| p.0));
        let y_range = range(points().map(|p| p.1).chain(bars));
        Self {
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            y_label: y_label.to_owned(),
            x_range,
            y_range,
            series,
            marks: Vec::new(),
            above: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The same chart with these ranges.
    #[must_use]
    pub fn with_ranges(mut self, x_range: (f64, f64), y_range: (f64, f64)) -> Self {
        (self.x_range, self.y_range) = (x_range, y_range);
        self
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.x_range.0) / (self.x_range.1 - self.x_range.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (value - self.y_range.0) / (self.y_range.1 - self.y_range.0) * (HEIGHT - TOP - BOTTOM)
    }

    /// The chart with its data: a row a point, error bars where there are some.
    #[must_use]
    pub fn panel(&self, name: &str) -> Panel {
        let has_bars = self.series.iter().any(|series| series.bars.is_some());
        let rows = self.series.iter().flat_map(|series| {
            series.points.iter().enumerate().map(move |(index, (x, y))| {
                let mut cells = vec![series.name.clone(), x.to_string(), y.to_string()];
                if has_bars {
                    let ends = series.bars.as_ref().and_then(|bars| bars.get(index));
                    cells.extend(
                        ends.map_or([String::new(), String::new()], |(low, high)| [low.to_string(), high.to_string()]),
                    );
                }
                cells
            })
        });
        let mut header = vec!["series", self.x_label.as_str(), self.y_label.as_str()];
        if has_bars {
            header.extend(["lower", "upper"]);
        }
        Panel { svg: self.svg(), data: Table::new(name, &self.title, &header, rows.collect()) }
    }

    /// The chart as an SVG element.
    fn svg(&self) -> String {
        let mut svg = opening_of_height(&self.title, HEIGHT + self.height_below());
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for tick in ticks(self.x_range) {
            let x = self.x(tick);
            push(&mut svg, format_args!("<line class='grid' x1='{x:.1}' y1='{TOP}' x2='{x:.1}' y2='{bottom}'/>"));
            push(
                &mut svg,
                format_args!("<text x='{x:.1}' y='{:.1}' text-anchor='middle'>{}</text>", bottom + 16.0, number(tick)),
            );
        }
        for tick in ticks(self.y_range) {
            let y = self.y(tick);
            push(&mut svg, format_args!("<line class='grid' x1='{LEFT}' y1='{y:.1}' x2='{right}' y2='{y:.1}'/>"));
            push(
                &mut svg,
                format_args!(
                    "<text x='{:.1}' y='{:.1}' text-anchor='end'>{}</text>",
                    LEFT - 6.0,
                    y + 4.0,
                    number(tick)
                ),
            );
        }
        push(&mut svg, format_args!("<path class='axis' d='M{LEFT} {TOP}V{bottom}H{right}'/>"));
        push(
            &mut svg,
            format_args!(
                "<text x='{:.1}' y='{:.1}' text-anchor='middle'>{}</text>",
                (LEFT + right) / 2.0,
                HEIGHT - 10.0,
                escape(&self.x_label)
            ),
        );
        let middle = (TOP + bottom) / 2.0;
        push(
            &mut svg,
            format_args!(
                "<text transform='translate(15 {middle:.1}) rotate(-90)' text-anchor='middle'>{}</text>",
                escape(&self.y_label)
            ),
        );
        for (place, text) in &self.above {
            let x = self.x(*place);
            push(
                &mut svg,
                format_args!(
                    "<text x='{x:.1}' y='{:.1}' text-anchor='middle' font-size='9'>{}</text>",
                    TOP - 4.0,
                    escape(text)
                ),
            );
        }
        for &mark in &self.marks {
            let x = self.x(mark);
            push(
                &mut svg,
                format_args!(
                    "<line x1='{x:.1}' y1='{TOP}' x2='{x:.1}' y2='{bottom}' stroke='#555' stroke-dasharray='4 3'/>"
                ),
            );
        }
        self.series.iter().for_each(|series| self.draw(series, &mut svg));
        self.legend(&mut svg);
        svg.push_str("</svg>");
        svg
    }

    fn draw(&self, series: &PlottedSeries, svg: &mut String) {
        let colour = series.colour;
        if let Some(bars) = &series.bars {
            for (&(x, y), &(low, high)) in series.points.iter().zip(bars) {
                let (x, y, low, high) = (self.x(x), self.y(y), self.y(low), self.y(high));
                push(
                    svg,
                    format_args!("<line x1='{x:.1}' y1='{low:.1}' x2='{x:.1}' y2='{high:.1}' stroke='{colour}'/>"),
                );
                push(svg, format_args!("<circle cx='{x:.1}' cy='{y:.1}' r='3' fill='{colour}'/>"));
            }
            return;
        }
        let mut path = String::new();
        let finite: Vec<(f64, f64)> =
            series.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        // A curve of one point has no line.
        if let [(x, y)] = finite[..] {
            let (x, y) = (self.x(x), self.y(y));
            push(svg, format_args!("<circle cx='{x:.1}' cy='{y:.1}' r='3' fill='{colour}'/>"));
        }
        let mut end = None;
        for pair in finite.windows(2) {
            let Some([from, to]) = within(self.y_range, pair[0], pair[1]) else { continue };
            if end != Some(from) {
                push(&mut path, format_args!("M{:.1} {:.1}", self.x(from.0), self.y(from.1)));
            }
            push(&mut path, format_args!("L{:.1} {:.1}", self.x(to.0), self.y(to.1)));
            end = Some(to);
        }
        let dashes = if series.dashed { " stroke-dasharray='5 4'" } else { "" };
        push(svg, format_args!("<path d='{path}' fill='none' stroke='{colour}' stroke-width='1.6'{dashes}/>"));
    }

    fn named(&self) -> Vec<&PlottedSeries> {
        self.series.iter().filter(|series| !series.name.is_empty()).collect()
    }

    /// Room for legend and notes below the axis, where no curve runs.
    fn height_below(&self) -> f64 {
        LEGEND_LINE * (self.named().len().div_ceil(2) + self.notes.len()) as f64
    }

    /// Names in two columns, each next to a piece of its line, then the notes.
    fn legend(&self, svg: &mut String) {
        let named = self.named();
        let rows = named.len().div_ceil(2);
        let longest = named.iter().map(|series| series.name.chars().count()).max().unwrap_or(0);
        let size = fitting_size(longest, WIDTH / 2.0 - 32.0);
        let baseline = |row: usize| HEIGHT + LEGEND_LINE * row as f64 + 5.0;
        for (index, series) in named.iter().enumerate() {
            let (x, y) = (if index < rows { 8.0 } else { 8.0 + WIDTH / 2.0 }, baseline(index % rows));
            let (colour, middle) = (series.colour, y - 3.5);
            if series.bars.is_some() {
                push(svg, format_args!("<circle cx='{:.1}' cy='{middle:.1}' r='3' fill='{colour}'/>", x + 8.0));
            } else {
                let dashes = if series.dashed { " stroke-dasharray='5 4'" } else { "" };
                push(
                    svg,
                    format_args!("<path d='M{x:.1} {middle:.1}h16' stroke='{colour}' stroke-width='2'{dashes}/>"),
                );
            }
            push(
                svg,
                format_args!(
                    "<text x='{:.1}' y='{y:.1}' font-size='{size:.1}'>{}</text>",
                    x + 20.0,
                    escape(&series.name)
                ),
            );
        }
        for (index, note) in self.notes.iter().enumerate() {
            push(
                svg,
                format_args!(
                    "<text x='8' y='{:.1}' font-size='9.5' fill='#444'>{}</text>",
                    baseline(rows + index),
                    escape(note)
                ),
            );
        }
    }
}

/// The size of letters, at most 9.5, in which so many have room. Letters of the widest usual typefaces (DejaVu,
/// Verdana) are 0.62 of their size wide in the mean.
fn fitting_size(letters: usize, width: f64) -> f64 {
    (width / (0.62 * letters.max(1) as f64)).clamp(4.0, 9.5)
}

/// The part of a segment whose ordinates lie in a range; `None` where it lies outside.
fn within((low, high): (f64, f64), from: (f64, f64), to: (f64, f64)) -> Option<[(f64, f64); 2]> {
    if from.1.max(to.1) < low || from.1.min(to.1) > high {
        return None;
    }
    let cut = |end: (f64, f64), other: (f64, f64)| {
        let y = end.1.clamp(low, high);
        if y == end.1 { end } else { (end.0 + (other.0 - end.0) * (y - end.1) / (other.1 - end.1), y) }
    };
    Some([cut(from, to), cut(to, from)])
}

/// Horizontal bars, the first on top.
#[must_use]
pub fn bars(name: &str, title: &str, x_label: &str, values: &[(String, f64)]) -> Panel {
    let rows = values.iter().map(|(name, value)| vec![name.clone(), value.to_string()]).collect();
    Panel { svg: bars_svg(title, x_label, values), data: Table::new(name, title, &["name", x_label], rows) }
}

fn bars_svg(title: &str, x_label: &str, values: &[(String, f64)]) -> String {
    let largest = values.iter().map(|value| value.1.abs()).fold(f64::MIN_POSITIVE, f64::max);
    let negative = values.iter().any(|value| value.1 < 0.0);
    // Names of features are long; they are shown whole, in smaller letters where they need to be.
    let longest = values.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let name_width = (longest as f64 * 5.4 + 8.0).clamp(60.0, WIDTH * 0.6);
    let name_size = fitting_size(longest, name_width - 8.0);
    let bottom = HEIGHT - BOTTOM;
    let zero = if negative { name_width + (WIDTH - name_width - RIGHT) / 2.0 } else { name_width };
    let scale = (WIDTH - RIGHT - zero - 52.0) / largest;
    let step = (bottom - TOP) / values.len().max(1) as f64;
    let mut svg = opening(title);
    for (index, (name, value)) in values.iter().enumerate() {
        let y = TOP + step * index as f64;
        let (x, width) = (zero + (value * scale).min(0.0), (value * scale).abs());
        let colour = if *value < 0.0 { COLOURS[1] } else { COLOURS[0] };
        push(
            &mut svg,
            format_args!(
                "<rect x='{x:.1}' y='{:.1}' width='{width:.1}' height='{:.1}' fill='{colour}'/>",
                y + step * 0.15,
                step * 0.7
            ),
        );
        push(
            &mut svg,
            format_args!(
                "<text x='{:.1}' y='{:.1}' text-anchor='end' font-size='{name_size:.1}'>{}</text>",
                name_width - 4.0,
                y + step * 0.62,
                escape(name)
            ),
        );
        push(
            &mut svg,
            format_args!(
                "<text x='{:.1}' y='{:.1}' font-size='9.5'>{}</text>",
                x + width + 3.0,
                y + step * 0.62,
                number(*value)
            ),
        );
    }
    push(&mut svg, format_args!("<path class='axis' d='M{zero:.1} {TOP}V{bottom}'/>"));
    push(
        &mut svg,
        format_args!(
            "<text x='{:.1}' y='{:.1}' text-anchor='end'>{}</text>",
            WIDTH - RIGHT,
            HEIGHT - 14.0,
            escape(x_label)
        ),
    );
    svg.push_str("</svg>");
    svg
}

impl Panel {
    /// The same panel with a letter before its title.
    pub(super) fn lettered(mut self, letter: char) -> Self {
        self.svg = self.svg.replacen(TITLE_STARTS, &format!("{TITLE_STARTS}{letter}. "), 1);
        self
    }
}

/// What stands before the title of a drawing.
const TITLE_STARTS: &str = "font-weight='bold'>";

pub(super) fn opening(title: &str) -> String {
    opening_of_height(title, HEIGHT)
}

pub(super) fn opening_of_height(title: &str, height: f64) -> String {
    let title = escape(title);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0}' role='img' aria-label='{title}' \
         font-family='sans-serif' font-size='11'><style>.grid{{stroke:#e3e3e3}}.axis{{stroke:#333;fill:none}}</style>\
         <rect width='{WIDTH}' height='{height:.0}' fill='#fff'/>\
         <text x='12' y='20' font-size='13' {TITLE_STARTS}{title}</text>"
    )
}

pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string does not fail");
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low { 0.05 * (high - low) } else { 0.5 };
    (low - room, high + room)
}

/// About five round numbers in the range.
pub(super) fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let raw = (high - low) / 5.0;
    let magnitude = 10f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * magnitude).find(|step| *step >= raw).unwrap_or(raw);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|index| index as f64 * step).collect()
}

pub(super) fn number(value: f64) -> String {
    if value != 0.0 && (value.abs() >= 1e5 || value.abs() < 1e-3) {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let close = |got: Vec<f64>, want: &[f64]| {
            assert!(got.len() == want.len() && got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?}");
        };
        close(ticks((0.0, 1.0)), &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        close(ticks((-7.2, -2.9)), &[-7.0, -6.0, -5.0, -4.0, -3.0]);
    }

    #[test]
    fn curves_end_where_they_leave_the_range_and_legends_stand_below_the_axis() {
        assert_eq!(within((0.0, 1.0), (0.0, -1.0), (2.0, 1.0)), Some([(1.0, 0.0), (2.0, 1.0)]));
        assert_eq!(within((0.0, 1.0), (0.0, 2.0), (1.0, 3.0)), None);
        let named = (0..5).map(|k| {
            PlottedSeries::line(&format!("curve {k}"), vec![(0.0, 0.0), (1.0, f64::from(k))], COLOURS[k as usize])
        });
        let chart = Chart::around("five", "x", "y", named.collect()).with_ranges((0.0, 1.0), (0.0, 1.0));
        let svg = chart.panel("five").svg;
        let places: Vec<f64> = svg
            .split("<text ")
            .filter(|text| text.contains("curve "))
            .map(|text| text.split("y='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap().parse().unwrap())
            .collect();
        assert!(places.len() == 5 && places.iter().all(|&y| y > HEIGHT), "{places:?}");
    }

    #[test]
    fn a_chart_is_well_formed_and_escapes_names() {
        let chart = Chart::around(
            "a < b & c",
            "x",
            "y",
            vec![PlottedSeries::line("R&D", vec![(0.0, 1.0), (f64::NAN, 2.0), (2.0, 3.0)], COLOURS[0])],
        );
        let Panel { svg, data } = chart.panel("points");
        assert_eq!(data.data().len(), 3);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains("R&amp;D") && !svg.contains("NaN"));
    }
}
