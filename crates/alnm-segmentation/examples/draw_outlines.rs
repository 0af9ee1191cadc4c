//! The pictures of docs/segmentation.md in the repository: what contours, speeds and proposals look like, and what is
//! said of those that went wrong, on simulated images.
//!
//! Each picture shows one slice. Seeds are blue, outlines yellow, and the outline that is known of a simulated lesion
//! is green. What is printed beside a picture's name is what the library says, word for word.
//!
//! ```text
//! cargo run --example draw_outlines -- docs/segmentation
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::{Geometry, Image, LabelMap, Volume};
use alnm_segmentation::contour::{ActiveContourParams, EvolvedContour};
use alnm_segmentation::proposal::LesionProposalParams;
use alnm_segmentation::seeds::{Bubble, bubble_mask};
use alnm_segmentation::speed::{EdgeSpeedParams, ForestParams, MixtureParams, ThresholdSpeedParams};
use ndarray::{Array2, Array3, Axis, s};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Pixels of a voxel along an axis.
const SCALE: usize = 4;
/// Black pixels between two panels.
const GAP: usize = 8;

const SEED: [u8; 3] = [86, 180, 233];
const OUTLINE: [u8; 3] = [240, 228, 66];
const KNOWN: [u8; 3] = [0, 158, 115];

/// Signal of a lesion, of what surrounds it, and the threshold between them.
const LESION: f32 = 300.0;
const TISSUE: f32 = 120.0;
const LOWER: f64 = 210.0;
/// The values that are shown as black and as white.
const SIGNAL: [f32; 2] = [60.0, 380.0];
const SPEED: [f32; 2] = [-1.0, 1.0];

/// One image of a picture.
struct Panel {
    grey: Array2<f32>,
    /// The values that are shown as black and as white.
    window: [f32; 2],
    outlines: Vec<(Array2<bool>, [u8; 3])>,
}

/// A picture, and what the library says of it.
struct Picture {
    name: &'static str,
    panels: Vec<Panel>,
    said: String,
}

impl Panel {
    /// A slice of an image.
    fn of(image: &Volume<f32>, slice: usize, window: [f32; 2]) -> Self {
        Self { grey: image.data().index_axis(Axis(0), slice).to_owned(), window, outlines: Vec::new() }
    }

    fn with_outline(mut self, mask: &LabelMap, slice: usize, colour: [u8; 3]) -> Self {
        self.outlines.push((mask.data().index_axis(Axis(0), slice).map(|&label| label != 0), colour));
        self
    }

    /// The colour of a pixel.
    fn colour(&self, row: usize, column: usize) -> [u8; 3] {
        let (y, x) = (row / SCALE, column / SCALE);
        let crosses = |mask: &Array2<bool>| {
            let here = mask[[y, x]];
            let above = row.is_multiple_of(SCALE) && y > 0 && mask[[y - 1, x]] != here;
            let before = column.is_multiple_of(SCALE) && x > 0 && mask[[y, x - 1]] != here;
            above || before
        };
        if let Some((_, colour)) = self.outlines.iter().find(|(mask, _)| crosses(mask)) {
            return *colour;
        }
        let [low, high] = self.window;
        [(255.0 * ((self.grey[[y, x]] - low) / (high - low)).clamp(0.0, 1.0)) as u8; 3]
    }
}

impl Picture {
    /// Writes the panels side by side.
    fn write(&self, folder: &Path) -> Result<()> {
        let size = |panel: &Panel| [panel.grey.ncols() * SCALE, panel.grey.nrows() * SCALE];
        let width = self.panels.iter().map(|panel| size(panel)[0] + GAP).sum::<usize>() - GAP;
        let height = self.panels.iter().map(|panel| size(panel)[1]).max().ok_or("a picture has a panel")?;
        let mut pixels = Array3::<u8>::zeros((height, width, 3));
        let mut start = 0;
        for panel in &self.panels {
            let [columns, rows] = size(panel);
            for row in 0..rows {
                for column in 0..columns {
                    let colour = panel.colour(row, column);
                    pixels.slice_mut(s![row, start + column, ..]).assign(&ndarray::arr1(&colour));
                }
            }
            start += columns + GAP;
        }
        let path = folder.join(format!("{}.png", self.name));
        let file = File::create(&path)?;
        let mut encoder = png::Encoder::new(BufWriter::new(file), u32::try_from(width)?, u32::try_from(height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        encoder.write_header()?.write_image_data(pixels.as_slice().ok_or("pixels lie in order")?)?;
        println!("{}: {}", self.name, self.said);
        Ok(())
    }
}

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("docs/segmentation"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let pictures = [regions, edges, speeds, outside, vanished, leak, border, single_slice, oblique, proposal];
    pictures.into_iter().try_for_each(|draw| draw()?.write(&folder))
}

/// An image in which the voxels of a structure are brighter, with noise from a seed.
fn image_of(grid: &Geometry, seed: u64, is_inside: impl Fn([f64; 3]) -> bool) -> Result<Volume<f32>> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let image = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
        let signal = if is_inside(grid.index_to_point([x as f64, y as f64, z as f64])) { LESION } else { TISSUE };
        (signal + 25.0 * noise(&mut generator)).round()
    });
    Ok(Volume::new(image, grid.clone())?)
}

/// Noise of deviation 1 that is nearly normal: the sum of twelve even numbers, less its mean.
fn noise(generator: &mut ChaCha8Rng) -> f32 {
    (0..12).map(|_| generator.random::<f32>()).sum::<f32>() - 6.0
}

/// A lobed lesion around a point.
fn is_lobed([x, y, z]: [f64; 3], [cx, cy, cz]: [f64; 3]) -> bool {
    let [u, v, w] = [x - cx, y - cy, z - cz];
    let radius = ((u / 12.0).powi(2) + (v / 9.0).powi(2) + (w / 8.0).powi(2)).sqrt();
    radius < 1.0 + 0.18 * (4.0 * v.atan2(u) + w / 3.0).sin()
}

const SIZE: [usize; 3] = [64, 56, 20];
const SPACING: [f64; 3] = [0.8, 0.8, 1.6];
const MIDDLE: [f64; 3] = [25.0, 22.0, 16.0];
const SLICE: usize = 10;

/// A lobed lesion in the middle of an image.
fn lobed() -> Result<Volume<f32>> {
    image_of(&Geometry::axis_aligned(SIZE, SPACING)?, 1, |point| is_lobed(point, MIDDLE))
}

fn seed_at(image: &Volume<f32>, point: [f64; 3], radius: f64) -> Result<LabelMap> {
    Ok(bubble_mask(image.geometry(), &[Bubble::new(point, radius)])?)
}

/// The outline by thresholds after some iterations.
fn by_thresholds(image: &Volume<f32>, seed: &LabelMap, iterations: usize) -> Result<EvolvedContour> {
    let thresholds = ThresholdSpeedParams::default().with_lower(LOWER).check()?;
    Ok(ActiveContourParams::regions().with_iterations(iterations).check()?.evolve(&thresholds.of(image)?, seed)?)
}

/// What is known and what should be looked at.
fn report(found: &EvolvedContour) -> String {
    let warnings: String = found.warnings.iter().map(|warning| format!("; warning: {warning}")).collect();
    format!("{} voxels, {:.0} mm³{warnings}", found.voxel_count, found.volume)
}

fn regions() -> Result<Picture> {
    let image = lobed()?;
    let seed = seed_at(&image, MIDDLE, 2.5)?;
    let steps = [20, 60, 200].map(|iterations| by_thresholds(&image, &seed, iterations));
    let mut panels = Vec::new();
    let mut said = String::new();
    for found in steps {
        let found = found?;
        said = report(&found);
        let panel = Panel::of(&image, SLICE, SIGNAL).with_outline(&found.mask, SLICE, OUTLINE);
        panels.push(panel.with_outline(&seed, SLICE, SEED));
    }
    Ok(Picture { name: "regions", panels, said })
}

fn edges() -> Result<Picture> {
    let image = lobed()?;
    let seed = seed_at(&image, MIDDLE, 4.0)?;
    let speed = EdgeSpeedParams::default().check()?.speed(&image)?;
    let contour = ActiveContourParams::edges().with_iterations(200).check()?;
    let found = contour.evolve(&speed, &seed)?;
    let panels = vec![
        Panel::of(&speed, SLICE, SPEED),
        Panel::of(&image, SLICE, SIGNAL).with_outline(&found.mask, SLICE, OUTLINE).with_outline(&seed, SLICE, SEED),
    ];
    Ok(Picture { name: "edges", panels, said: report(&found) })
}

fn speeds() -> Result<Picture> {
    let image = lobed()?;
    let seed = seed_at(&image, MIDDLE, 4.0)?;
    let mixture = MixtureParams::default().with_classes(2).check()?.fit(&image)?;
    let class = mixture.class_of_seed(&image, &seed)?;
    // Two strokes of a brush: one in the lesion, one beside it.
    let beside = seed_at(&image, [6.0, 6.0, 16.0], 4.0)?;
    let scribbles = Volume::new(seed.data() + &(beside.data() * 2), image.geometry().clone())?;
    let forest = ForestParams::default().with_radius([1, 1, 1]).check()?.learn(&[&image], &scribbles)?;
    let thresholds = ThresholdSpeedParams::default().with_lower(LOWER).check()?;
    let speeds = [
        thresholds.speed(&image)?,
        EdgeSpeedParams::default().check()?.speed(&image)?,
        mixture.speed(&image, &[class])?,
        forest.speed(&[&image], &[1])?,
    ];
    let mut panels: Vec<Panel> = speeds.iter().map(|speed| Panel::of(speed, SLICE, SPEED)).collect();
    let scribbled = Panel::of(&image, SLICE, SIGNAL).with_outline(&scribbles, SLICE, SEED);
    panels.insert(0, scribbled);
    let said = format!("class {class} of 2 holds the seed, labels {:?} were scribbled", forest.labels());
    Ok(Picture { name: "speeds", panels, said })
}

fn outside() -> Result<Picture> {
    let image = lobed()?;
    let place = [60.0, 22.0, 16.0];
    let refused = bubble_mask(image.geometry(), &[Bubble::new(place, 2.5)]).expect_err("the place lies outside");
    // The picture goes on beside the image, to show the place.
    let wide = Geometry::axis_aligned([SIZE[0] + 20, SIZE[1], SIZE[2]], SPACING)?;
    let mut canvas = Array3::zeros(wide.shape());
    canvas.slice_mut(s![.., .., ..SIZE[0]]).assign(image.data());
    let canvas = Volume::new(canvas, wide)?;
    let panel = Panel::of(&canvas, SLICE, SIGNAL).with_outline(&seed_at(&canvas, place, 2.5)?, SLICE, SEED);
    Ok(Picture { name: "outside", panels: vec![panel], said: refused.to_string() })
}

fn vanished() -> Result<Picture> {
    let image = lobed()?;
    let seed = seed_at(&image, [8.0, 8.0, 16.0], 2.5)?;
    let found = by_thresholds(&image, &seed, 200)?;
    let panel = Panel::of(&image, SLICE, SIGNAL);
    let panel = panel.with_outline(&found.mask, SLICE, OUTLINE).with_outline(&seed, SLICE, SEED);
    Ok(Picture { name: "vanished", panels: vec![panel], said: report(&found) })
}

fn leak() -> Result<Picture> {
    let grid = Geometry::axis_aligned([64, 48, 24], [1.0; 3])?;
    let image = image_of(&grid, 2, |[x, y, z]| {
        let small = (x - 14.0).powi(2) + (y - 24.0).powi(2) + (z - 12.0).powi(2) <= 64.0;
        let door = (20.0..34.0).contains(&x) && (y - 24.0).abs() <= 2.0 && (z - 12.0).abs() <= 2.0;
        let large = (34.0..58.0).contains(&x) && (6.0..42.0).contains(&y) && (3.0..21.0).contains(&z);
        small || door || large
    })?;
    let seed = seed_at(&image, [14.0, 24.0, 12.0], 3.0)?;
    let mut panels = Vec::new();
    let mut said = String::new();
    for iterations in [60, 400] {
        let found = by_thresholds(&image, &seed, iterations)?;
        said = report(&found);
        let panel = Panel::of(&image, 12, SIGNAL).with_outline(&found.mask, 12, OUTLINE);
        panels.push(panel.with_outline(&seed, 12, SEED));
    }
    Ok(Picture { name: "leak", panels, said })
}

fn border() -> Result<Picture> {
    let grid = Geometry::axis_aligned(SIZE, SPACING)?;
    let middle = [44.0, 22.0, 16.0];
    let image = image_of(&grid, 3, |point| is_lobed(point, middle))?;
    let seed = seed_at(&image, middle, 2.5)?;
    let found = by_thresholds(&image, &seed, 200)?;
    let panel = Panel::of(&image, SLICE, SIGNAL).with_outline(&found.mask, SLICE, OUTLINE);
    Ok(Picture { name: "border", panels: vec![panel.with_outline(&seed, SLICE, SEED)], said: report(&found) })
}

fn single_slice() -> Result<Picture> {
    let grid = Geometry::new([SIZE[0], SIZE[1], 1], SPACING, [0.0, 0.0, MIDDLE[2]], identity())?;
    let image = image_of(&grid, 4, |point| is_lobed(point, MIDDLE))?;
    let seed = seed_at(&image, MIDDLE, 2.5)?;
    let found = by_thresholds(&image, &seed, 200)?;
    let panel = Panel::of(&image, 0, SIGNAL).with_outline(&found.mask, 0, OUTLINE).with_outline(&seed, 0, SEED);
    Ok(Picture { name: "single_slice", panels: vec![panel], said: report(&found) })
}

fn identity() -> [[f64; 3]; 3] {
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
}

/// The same lesion on two grids, one of them turned by 0.5 radians around z.
fn oblique() -> Result<Picture> {
    let (sin, cos) = 0.5_f64.sin_cos();
    let turned = [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]];
    let mut panels = Vec::new();
    let mut said = Vec::new();
    for direction in [identity(), turned] {
        // The middle of both grids is the middle of the lesion.
        let half: [f64; 3] = std::array::from_fn(|axis| (SIZE[axis] / 2) as f64 * SPACING[axis]);
        let origin = std::array::from_fn(|axis| {
            MIDDLE[axis] - (0..3).map(|along| direction[axis][along] * half[along]).sum::<f64>()
        });
        let image = image_of(&Geometry::new(SIZE, SPACING, origin, direction)?, 5, |point| is_lobed(point, MIDDLE))?;
        let seed = seed_at(&image, MIDDLE, 2.5)?;
        let found = by_thresholds(&image, &seed, 200)?;
        let panel = Panel::of(&image, SLICE, SIGNAL).with_outline(&found.mask, SLICE, OUTLINE);
        panels.push(panel.with_outline(&seed, SLICE, SEED));
        said.push(report(&found));
    }
    Ok(Picture { name: "oblique", panels, said: said.join("; turned: ") })
}

/// Two breasts with skin towards air, in which a lesion and, behind them, the heart take up contrast agent.
fn proposal() -> Result<Picture> {
    let grid = Geometry::axis_aligned([64, 48, 12], [3.0, 3.0, 4.0])?;
    let skin = |x: usize| {
        let from_middle = (x as f64 - 15.5).abs().min((x as f64 - 47.5).abs());
        (4.0 + from_middle * from_middle / 15.0) as usize
    };
    let is_lesion = |point: [f64; 3]| is_lobed(point, [141.0, 40.0, 24.0]);
    let mut generator = ChaCha8Rng::seed_from_u64(6);
    let mut phase = |lesion: f32, heart: f32| {
        let image = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
            let tissue = 200.0
                + if is_lesion(grid.index_to_point([x as f64, y as f64, z as f64])) { lesion } else { 0.0 }
                + if (28..44).contains(&y) && (24..44).contains(&x) { heart } else { 0.0 };
            (if y < skin(x) { 5.0 } else { tissue }) + 8.0 * noise(&mut generator)
        });
        Volume::new(image, grid.clone())
    };
    let phases = [phase(0.0, 0.0)?, phase(300.0, 400.0)?, phase(220.0, 300.0)?];
    let truth = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
        u32::from(is_lesion(grid.index_to_point([x as f64, y as f64, z as f64])))
    });
    let truth = Volume::new(truth, grid.clone())?;
    let series = DynamicSeries::new(phases.iter().cloned().map(Image::F32).collect(), vec![0.0, 90.0, 400.0])?;
    let proposed = LesionProposalParams::default().check()?.propose(&series)?;
    let candidate = proposed.candidates.first().ok_or("the lesion is found")?;
    let slice = grid.point_to_index(candidate.seed)[2].round() as usize;
    let window = [0.0, 650.0];
    let outlined = Panel::of(&phases[proposed.early_phase], slice, window).with_outline(&proposed.mask, slice, OUTLINE);
    let panels = vec![Panel::of(&phases[0], slice, window), outlined.with_outline(&truth, slice, KNOWN)];
    let said = format!(
        "{:.0} mm³, enhancement {:.0} %, confidence {:.2}",
        candidate.volume,
        100.0 * candidate.enhancement,
        candidate.confidence
    );
    Ok(Picture { name: "proposal", panels, said })
}
