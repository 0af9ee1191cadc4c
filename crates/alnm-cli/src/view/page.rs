//! A page to leaf through the slices and phases of an image with the outlines of its regions. It holds all pictures and
//! needs no other file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use alnm_imaging::region::{OutlineEdge, outline_edges};
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use serde::Serialize;

use super::Scene;
use super::picture::{bar_length, colour_of, grey_png};
use super::plane::{Orientation, Planes};

/// The page, with a place for its data.
const PAGE: &str = include_str!("page.html");
/// Where the data belongs.
const DATA: &str = "/*DATA*/null";
/// Bytes of pictures beyond which browsers open a page slowly or not at all.
const MOST_BYTES: usize = 400 << 20;

/// What the page shows.
#[derive(Serialize)]
struct PageData<'a> {
    title: &'a str,
    plane: &'static str,
    axis: char,
    rows: usize,
    columns: usize,
    /// Height and width of a pixel in mm.
    pixel: [f64; 2],
    /// Letters at the left, right, upper and lower edge.
    letters: [&'a str; 4],
    window: [f64; 2],
    /// Length of the scale bar in mm.
    bar: f64,
    first: usize,
    /// For each phase the pictures of its slices, as base64.
    phases: Vec<Vec<String>>,
    /// For each slice the path of each label's outline, in pixels.
    outlines: Vec<BTreeMap<u32, String>>,
    colours: BTreeMap<u32, String>,
}

/// The page of all slices of all phases.
pub(super) fn html(scene: &Scene, orientation: Orientation) -> Result<String> {
    let planes = Planes::new(scene.geometry(), orientation);
    let [rows, columns] = planes.pixels();
    let slices: Vec<usize> = (0..planes.count()).collect();
    let picture = |phase, &index: &usize| -> Result<String> {
        Ok(STANDARD.encode(grey_png(planes.cut(phase, index).view(), scene.window)?))
    };
    let mut phases = Vec::with_capacity(scene.phases.len());
    let mut bytes = 0;
    for phase in &scene.phases {
        let pictures: Vec<String> = slices.par_iter().map(|index| picture(phase, index)).collect::<Result<_>>()?;
        bytes += pictures.iter().map(String::len).sum::<usize>();
        ensure!(
            bytes <= MOST_BYTES,
            "the page would hold more than {} MiB of pictures; choose a phase with --phase, or crop the image",
            MOST_BYTES >> 20
        );
        phases.push(pictures);
    }
    let labels = scene.labels();
    let outline = |&index: &usize| -> BTreeMap<u32, String> {
        let Some(mask) = &scene.mask else { return BTreeMap::new() };
        let cut = planes.cut(mask, index);
        let paths = labels.iter().map(|&label| (label, path(&outline_edges(cut.mapv(|voxel| voxel == label).view()))));
        paths.filter(|(_, path)| !path.is_empty()).collect()
    };
    let outlines: Vec<BTreeMap<u32, String>> = slices.par_iter().map(outline).collect();
    let colour = |&label: &u32| {
        let [red, green, blue] = colour_of(label);
        (label, format!("#{red:02x}{green:02x}{blue:02x}"))
    };
    let data = PageData {
        title: &scene.title,
        plane: orientation.name(),
        axis: planes.axis_name(),
        rows,
        columns,
        pixel: planes.pixel_size(),
        letters: planes.edge_letters(),
        window: [scene.window.low, scene.window.high],
        bar: bar_length(columns as f64 * planes.pixel_size()[1]),
        first: scene.fullest(&planes),
        phases,
        outlines,
        colours: labels.iter().map(colour).collect(),
    };
    // Inside a script, no text may close it.
    let data = serde_json::to_string(&data)?.replace('<', "\\u003c");
    let (before, after) = PAGE.split_once(DATA).context("the page has no place for its data")?;
    Ok([before, &data, after].concat())
}

/// The path of edges, one stroke for edges that follow each other in a line.
fn path(edges: &[OutlineEdge]) -> String {
    let mut path = String::new();
    let mut write = |[from_column, from_row]: [usize; 2], to: [usize; 2]| {
        let stroke =
            if to[1] == from_row { format!("h{}", to[0] - from_column) } else { format!("v{}", to[1] - from_row) };
        // Writing to a string cannot fail.
        let _ = write!(path, "M{from_column} {from_row}{stroke}");
    };
    let (mut across, mut down): (Vec<OutlineEdge>, Vec<OutlineEdge>) =
        edges.iter().partition(|edge| edge.from[1] == edge.to[1]);
    across.sort_by_key(|edge| [edge.from[1], edge.from[0]]);
    down.sort_by_key(|edge| edge.from);
    for line in [across, down] {
        for run in line.chunk_by(|a, b| a.to == b.from) {
            if let [first, ..] = run {
                write(first.from, run.last().map_or(first.to, |last| last.to));
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn edges_in_a_line_are_one_stroke() {
        let inside = array![[false, false, false], [false, true, true], [false, false, false]];
        assert_eq!(path(&outline_edges(inside.view())), "M1 1h2M1 2h2M1 1v1M3 1v1");
    }

    #[test]
    fn the_page_has_one_place_for_its_data() {
        assert_eq!(PAGE.matches(DATA).count(), 1);
    }
}
