//! Points that 3D Slicer saves.

use serde::Deserialize;

use crate::error::{Result, SegmentationError};

/// The most points that are read from a file.
pub(super) const MOST_POINTS: usize = 100_000;

/// The points in mm (LPS) of a file of 3D Slicer: markups as JSON (`.mrk.json`) or as a table (`.fcsv`), in LPS or RAS.
///
/// Points that are not placed are left out.
///
/// # Errors
/// [`SegmentationError::Markups`] when the text is neither, has a point that is not three finite numbers, a coordinate
/// system that is unknown, more than 100 000 points, or none.
///
/// ```
/// use alnm_segmentation::seeds::markup_points;
///
/// let table = "# Markups fiducial file version = 4.11\n# CoordinateSystem = RAS\n# columns = id,x,y,z\nF-1,10,-20.5,3\n";
/// assert_eq!(markup_points(table)?, [[-10.0, 20.5, 3.0]]);
/// let json = r#"{"markups": [{"coordinateSystem": "LPS", "controlPoints": [{"position": [1.0, 2.0, 3.0]}]}]}"#;
/// assert_eq!(markup_points(json)?, [[1.0, 2.0, 3.0]]);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
pub fn markup_points(text: &str) -> Result<Vec<[f64; 3]>> {
    let text = text.trim_start_matches('\u{feff}');
    let points = if text.trim_start().starts_with('{') { from_json(text)? } else { from_table(text)? };
    if points.is_empty() {
        return Err(refused("it has no point that is placed"));
    }
    if let Some(point) = points.iter().find(|point| !point.iter().all(|coordinate| coordinate.is_finite())) {
        return Err(refused(format!("the point {point:?} is not three finite numbers")));
    }
    Ok(points)
}

pub(super) fn refused(reason: impl Into<String>) -> SegmentationError {
    SegmentationError::Markups { reason: reason.into() }
}

/// A coordinate system of Slicer's files.
#[derive(Debug, Clone, Copy)]
enum Axes {
    Lps,
    Ras,
}

impl Axes {
    /// The system of a name, or of a number in old tables.
    fn of(name: &str) -> Result<Self> {
        match name.trim() {
            "LPS" | "1" => Ok(Self::Lps),
            "RAS" | "0" => Ok(Self::Ras),
            other => Err(refused(format!("the coordinate system {other:?} is neither LPS nor RAS"))),
        }
    }

    fn to_lps(self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        match self {
            Self::Lps => [x, y, z],
            Self::Ras => [-x, -y, z],
        }
    }
}

#[derive(Deserialize)]
struct MarkupsFile {
    markups: Vec<MarkupsNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MarkupsNode {
    #[serde(default = "lps")]
    coordinate_system: String,
    #[serde(default)]
    control_points: Vec<ControlPoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ControlPoint {
    position: Option<[f64; 3]>,
    position_status: Option<String>,
}

fn lps() -> String {
    "LPS".to_owned()
}

fn from_json(text: &str) -> Result<Vec<[f64; 3]>> {
    let file = serde_json::from_str::<MarkupsFile>(text);
    let file = file.map_err(|error| refused(format!("as JSON it cannot be read: {error}")))?;
    let mut points = Vec::new();
    for node in file.markups {
        let axes = Axes::of(&node.coordinate_system)?;
        let is_placed =
            |point: &ControlPoint| point.position_status.as_deref().is_none_or(|status| status == "defined");
        let placed = node.control_points.into_iter().filter(is_placed).filter_map(|point| point.position);
        points.extend(placed.map(|position| axes.to_lps(position)));
        check_count(points.len())?;
    }
    Ok(points)
}

fn from_table(text: &str) -> Result<Vec<[f64; 3]>> {
    // Tables without a line about it are of old versions, which wrote RAS.
    let mut axes = Axes::Ras;
    let mut first = 1;
    let mut points = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        if let Some(comment) = line.strip_prefix('#') {
            match comment.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("CoordinateSystem", name)) => axes = Axes::of(name)?,
                Some(("columns", names)) => {
                    let place = names.split(',').position(|name| name.trim() == "x");
                    first = place.ok_or_else(|| refused(format!("line {number} names no column x")))?;
                }
                _ => {}
            }
            continue;
        }
        let mut fields = line.split(',').skip(first).map(|field| field.trim().parse::<f64>().ok());
        let mut next = || fields.next().flatten();
        match (next(), next(), next()) {
            (Some(x), Some(y), Some(z)) => points.push(axes.to_lps([x, y, z])),
            _ => return Err(refused(format!("line {number} has no three numbers from column {} on", first + 1))),
        }
        check_count(points.len())?;
    }
    Ok(points)
}

fn check_count(points: usize) -> Result<()> {
    if points > MOST_POINTS {
        return Err(refused(format!("it has more than {MOST_POINTS} points")));
    }
    Ok(())
}
