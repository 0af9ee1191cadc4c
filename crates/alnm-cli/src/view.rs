//! `alnm view`: pictures of an image and its regions.

mod glyphs;
mod page;
mod picture;
mod plane;

use std::path::{Path, PathBuf};

use alnm_imaging::dicom::Series;
use alnm_imaging::file::Source;
use alnm_imaging::region::{labels, resize_bilinear};
use alnm_imaging::{FileFormat, Geometry, LabelMap, Volume};
use anyhow::{Context, Result, bail, ensure};
use ndarray::Array2;

use crate::exit::wrong_use;
use crate::input::{ChosenImage, MaskDrawing, SeriesChoice};
use crate::options::{Range, RegionOptions};
use crate::output::{Activity, Overwriting, refuse_stream, warn};
use picture::{Picture, Window};
use plane::{Orientation, Planes};

/// The percentiles that are black and white where nothing else is said.
const PERCENTILES: [f64; 2] = [1.0, 99.5];

/// Draw an image, with the outlines of a mask: as a picture (.png), or as a page to leaf through slices and phases (of
/// a file of four dimensions its volumes) with the keys (.html).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm view image.nii.gz look.png                          # three planes through the centre
  alnm view image.nii.gz mask.nii.gz look.png              # three planes, each where the region is largest, outlined
  alnm view dce-folder lesion.seg.dcm look.png --phase 4 --slices 12
  alnm view dce-folder lesion.seg.dcm look.html            # all slices of all phases

The patient's right is on the left of axial and coronal planes. Labels have colours: 1 yellow, 2 light blue, 3 orange,
4 green, 5 pink, 6 red. The page needs no other file and no network.")]
pub(crate) struct View {
    /// Image file or DICOM folder, its mask if there is one, and the file to write (.png or .html).
    #[arg(value_names = ["IMAGE", "[MASK] OUT"], num_args = 1..=3, required = true)]
    files: Vec<PathBuf>,
    /// The same as OUT.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    choice: SeriesChoice,
    #[command(flatten)]
    drawing: MaskDrawing,
    #[command(flatten)]
    region: RegionOptions,
    /// A mosaic of so many slices, evenly through the region, or through the image without a mask.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=400))]
    slices: Option<u16>,
    /// The planes of the mosaic and of the page.
    #[arg(long, value_enum, default_value_t = Orientation::Axial)]
    plane: Orientation,
    /// Grey values that are black and white.
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true, conflicts_with = "percentiles")]
    window: Option<Range>,
    /// Percentiles of the grey values that are black and white; without it the window that a DICOM series states, else
    /// 1,99.5.
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true)]
    percentiles: Option<Range>,
    /// Pixels of the longer side of each plane of a picture.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(32..=4096))]
    side: u16,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

/// An image of one or several phases with its outlined regions.
struct Scene {
    /// The name of the image.
    title: String,
    phases: Vec<Volume<f32>>,
    mask: Option<LabelMap>,
    window: Window,
}

/// What is read of the files.
struct Read {
    phases: Vec<Volume<f32>>,
    /// On the grid of the phases.
    mask: Option<LabelMap>,
    /// Centre and width, as a series states them.
    window: Option<[f64; 2]>,
}

impl View {
    pub(crate) fn run(self) -> Result<()> {
        let (image, mask, out) = match (self.files.as_slice(), &self.out) {
            ([image], Some(out)) | ([image, out], None) => (image, None, out),
            ([image, mask], Some(out)) | ([image, mask, out], None) => (image, Some(mask.as_path()), out),
            _ => return Err(wrong_use("view takes an image, a mask if there is one, and the file to write")),
        };
        refuse_stream(out, "picture or page")?;
        let is_page = match out.extension().and_then(|suffix| suffix.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("png") => false,
            Some("html" | "htm") => true,
            _ => {
                let refused = format!("{} has no suffix that view writes; name a file in .png or .html", out.display());
                return Err(wrong_use(refused));
            }
        };
        if let Some(Range([low, high])) = self.percentiles.filter(|Range([low, high])| *low < 0.0 || *high > 100.0) {
            return Err(wrong_use(format!("--percentiles is {low},{high}; percentiles lie from 0 to 100")));
        }
        self.overwriting.check_files([out.as_path()])?;
        self.threads.start()?;
        let activity = Activity::start("reading");
        let Read { phases, mask, window: stated } = self.read(image, mask, is_page)?;
        let is_visible = phases.iter().any(|phase| phase.as_slice().iter().any(|value| value.is_finite()));
        ensure!(is_visible, "{}: no voxel has a finite value, so there is nothing to draw", image.display());
        let window = match (self.window, self.percentiles, stated) {
            (Some(Range([low, high])), ..) => Window { low, high },
            (None, None, Some(stated)) => Window::of_dicom(stated),
            (None, percentiles, _) => {
                let values = phases.iter().flat_map(|phase| phase.as_slice().iter().copied());
                Window::of_percentiles(values, percentiles.map_or(PERCENTILES, |Range(given)| given))
            }
        };
        let title = image.file_name().unwrap_or(image.as_os_str()).to_string_lossy().into_owned();
        let scene = Scene { title, phases, mask, window };
        activity.next("drawing");
        let bytes = if is_page {
            page::html(&scene, self.plane)?.into_bytes()
        } else {
            scene.picture(self.slices.map(usize::from), self.plane, self.side.into())?.png()?
        };
        activity.next("writing");
        self.overwriting.write_file(out, &bytes)?;
        activity.finish();
        Ok(())
    }

    /// The phases that are shown, and the mask on their grid.
    fn read(&self, image: &Path, mask: Option<&Path>, all_phases: bool) -> Result<Read> {
        let source = crate::input::open(image)?;
        let is_dicom = source.format() == FileFormat::Dicom;
        let is_one = !all_phases || self.choice.phase.is_some();
        let (phases, chosen) = if !is_one && !is_dicom && self.choice.volume.is_none() {
            self.read_volumes(&source)?
        } else if is_one || !is_dicom {
            let chosen = self.choice.read_chosen(source, &|odd| warn(odd))?;
            (vec![chosen.image.cast()], chosen)
        } else {
            let folder = source.dicom_folder()?;
            let series = self.choice.of(&folder, &|odd| warn(odd))?;
            self.read_phases(&series)?
        };
        let mask = mask.map(|path| self.read_mask(path, &chosen)).transpose()?;
        Ok(Read { phases, mask, window: chosen.window })
    }

    /// The volumes of a file of four dimensions, or the image of any other.
    fn read_volumes(&self, source: &Source) -> Result<(Vec<Volume<f32>>, ChosenImage)> {
        let header = source.try_clone()?.read_header()?;
        let components = source.try_clone()?.read_outline()?.components.max(1);
        let count = if components == 1 { header.volumes } else { 1 };
        if count <= 1 {
            let chosen = self.choice.read_chosen(source.try_clone()?, &|odd| warn(odd))?;
            return Ok((vec![chosen.image.cast()], chosen));
        }
        let mut images = self.choice.read_volumes(source.try_clone()?, &|odd| warn(odd))?.into_iter();
        let first = images.next().context("the file has no volume")?;
        let volumes = std::iter::once(first.cast()).chain(images.map(|image| image.cast())).collect();
        Ok((volumes, ChosenImage { image: first, frame_of_reference: None, window: None }))
    }

    fn read_phases(&self, series: &Series) -> Result<(Vec<Volume<f32>>, ChosenImage)> {
        let mut images = (1..=series.phase_count().max(1)).map(|number| series.phase(number));
        let first = images.next().context("the series has no phase")??;
        let mut phases = vec![first.cast()];
        for image in images {
            phases.push(image?.cast());
        }
        Ok((phases, self.choice.with_series(first, series)))
    }

    fn read_mask(&self, path: &Path, chosen: &ChosenImage) -> Result<LabelMap> {
        let mask = self.drawing.read_for(chosen, path, self.region.choice())?;
        require_same_grid(chosen.image.geometry(), mask.geometry(), path)?;
        let mask = self.region.kept(mask, path)?;
        ensure!(mask.as_slice().iter().any(|label| *label != 0), "{}: the mask has no region to draw", path.display());
        Ok(mask)
    }
}

/// Refuses a mask on another grid than the image: its outline would be drawn at a wrong place.
fn require_same_grid(image: &Geometry, mask: &Geometry, path: &Path) -> Result<()> {
    /// Files in single precision differ by less.
    const TOLERANCE: f64 = 1e-3;
    match image.difference(mask, TOLERANCE) {
        None => Ok(()),
        Some(difference) => bail!(
            "{} does not lie on the grid of the image: {difference}; bring it there with `alnm resample --like IMAGE \
             --interpolator nearest`",
            path.display()
        ),
    }
}

/// A plane of the picture, before it is drawn.
struct Panel {
    values: Array2<f32>,
    labels: Option<Array2<u32>>,
    planes: Planes,
    index: usize,
    /// Pixels per millimetre.
    scale: f64,
}

impl Scene {
    fn geometry(&self) -> &Geometry {
        self.phases[0].geometry()
    }

    /// The labels that the mask holds.
    fn labels(&self) -> Vec<u32> {
        self.mask.as_ref().map_or(Vec::new(), |mask| labels(mask, usize::MAX))
    }

    /// The first and the last of planes that lie side by side on which regions lie; all of them without regions.
    fn extent(&self, planes: &Planes) -> [usize; 2] {
        let Some(mask) = &self.mask else { return [0, planes.count() - 1] };
        let is_drawn = |index: &usize| planes.cut(mask, *index).iter().any(|label| *label != 0);
        let [first, last] = [(0..planes.count()).find(is_drawn), (0..planes.count()).rev().find(is_drawn)];
        [first.unwrap_or(0), last.unwrap_or(planes.count() - 1)]
    }

    /// Of planes that lie side by side the one on which the regions are largest, the first of equal ones; the middle
    /// one without regions.
    fn fullest(&self, planes: &Planes) -> usize {
        let Some(mask) = &self.mask else { return planes.count() / 2 };
        let voxels = |index: usize| planes.cut(mask, index).iter().filter(|label| **label != 0).count();
        (0..planes.count()).rev().max_by_key(|&index| voxels(index)).unwrap_or(0)
    }

    /// Three planes, each where the regions are largest, or a mosaic of slices.
    fn picture(&self, slices: Option<usize>, plane: Orientation, side: usize) -> Result<Picture> {
        let panels: Vec<Panel> = match slices {
            Some(wanted) => {
                let planes = Planes::new(self.geometry(), plane);
                let [first, last] = self.extent(&planes);
                spread(first, last, wanted)
                    .into_iter()
                    .map(|index| self.panel(&planes, index, side))
                    .collect::<Result<_>>()?
            }
            None => {
                let all = Orientation::ALL.map(|orientation| Planes::new(self.geometry(), orientation));
                // Planes of an image of one slice that are lines show nothing.
                let visible = all.iter().filter(|planes| planes.pixels().iter().all(|&pixels| pixels > 1));
                visible.map(|planes| self.panel(planes, self.fullest(planes), side)).collect::<Result<_>>()?
            }
        };
        ensure!(!panels.is_empty(), "the image has no plane of more than one row and column");
        let columns = if slices.is_some() { (panels.len() as f64).sqrt().ceil() as usize } else { panels.len() };
        Ok(mosaic(&panels, columns, self.window))
    }

    fn panel(&self, planes: &Planes, index: usize, side: usize) -> Result<Panel> {
        let [rows, columns] = planes.pixels();
        let [height, width] = planes.pixel_size();
        let scale = side as f64 / (rows as f64 * height).max(columns as f64 * width);
        let drawn = |voxels: usize, size: f64| ((voxels as f64 * size * scale).round() as usize).max(1);
        let (drawn_rows, drawn_columns) = (drawn(rows, height), drawn(columns, width));
        let values = resize_bilinear(planes.cut(&self.phases[0], index).view(), drawn_rows, drawn_columns)?;
        let nearest = |place: usize, old: usize, new: usize| (2 * place + 1) * old / (2 * new);
        let labels = self.mask.as_ref().map(|mask| {
            let cut = planes.cut(mask, index);
            Array2::from_shape_fn((drawn_rows, drawn_columns), |(row, column)| {
                cut[(nearest(row, rows, drawn_rows), nearest(column, columns, drawn_columns))]
            })
        });
        Ok(Panel { values, labels, planes: planes.clone(), index, scale })
    }
}

/// At most so many numbers from `first` to `last`, evenly.
fn spread(first: usize, last: usize, wanted: usize) -> Vec<usize> {
    let count = wanted.min(last - first + 1);
    match count {
        1 => vec![first.midpoint(last)],
        _ => (0..count).map(|place| first + (place * (last - first) + (count - 1) / 2) / (count - 1)).collect(),
    }
}

/// Panels row by row, each with its letters, the number of its slice and a scale bar.
fn mosaic(panels: &[Panel], columns: usize, window: Window) -> Picture {
    const GAP: usize = 4;
    let rows = panels.len().div_ceil(columns);
    // Each column is as wide as its widest panel, each row as high as its highest.
    let (mut widths, mut heights) = (vec![0; columns], vec![0; rows]);
    for (place, panel) in panels.iter().enumerate() {
        let (width, height) = (&mut widths[place % columns], &mut heights[place / columns]);
        (*width, *height) = ((*width).max(panel.values.ncols()), (*height).max(panel.values.nrows()));
    }
    let start = |sizes: &[usize], place: usize| sizes[..place].iter().map(|size| size + GAP).sum::<usize>();
    let whole = |sizes: &[usize]| start(sizes, sizes.len()) - GAP;
    let mut picture = Picture::new(whole(&widths), whole(&heights));
    for (place, panel) in panels.iter().enumerate() {
        panel.draw(&mut picture, [start(&widths, place % columns), start(&heights, place / columns)], window);
    }
    picture
}

impl Panel {
    fn draw(&self, picture: &mut Picture, [left, top]: [usize; 2], window: Window) {
        let (height, width) = self.values.dim();
        // Letters and lines grow with the panel.
        let unit = (height.max(width) / 256).max(1);
        picture.draw([left, top], self.values.view(), window);
        if let Some(labels) = &self.labels {
            picture.outline([left, top], labels, unit);
        }
        let (letter, margin) = (picture::letter_height(unit), 2 * unit);
        let text_width = |text: &str| text.chars().count() * picture::letter_width(unit);
        let [left_letter, right_letter, upper, lower] = self.planes.edge_letters();
        let middle = top + height.saturating_sub(letter) / 2;
        let centre = |text: &str| left + width.saturating_sub(text_width(text)) / 2;
        let bottom = top + height.saturating_sub(letter + margin);
        let right = left + width.saturating_sub(text_width(right_letter) + margin);
        picture.write([left + margin, middle], left_letter, unit);
        picture.write([right, middle], right_letter, unit);
        picture.write([centre(upper), top + margin], upper, unit);
        picture.write([centre(lower), bottom], lower, unit);
        // On a narrow panel what stands in the corners goes a line towards the middle, so as not to run into the letters.
        let aside = |text: &str, of_centre: &str| {
            let reaches = left + margin + text_width(text) + unit > centre(of_centre);
            if reaches { letter + margin } else { 0 }
        };
        let number = format!("{} {}/{}", self.planes.axis_name(), self.index + 1, self.planes.count());
        picture.write([left + margin, top + margin + aside(&number, upper)], &number, unit);
        let millimetres = picture::bar_length(width as f64 / self.scale);
        let length = ((millimetres * self.scale).round() as usize).max(1);
        let scale = format!("{millimetres} mm");
        let line = bottom.saturating_sub(aside(&scale, lower));
        picture.bar([left + margin, line.saturating_sub(margin + unit)], length, unit);
        picture.write([left + margin, line], &scale, unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_a_mosaic_reach_from_the_first_to_the_last() {
        assert_eq!(spread(3, 12, 4), [3, 6, 9, 12]);
        assert_eq!(spread(3, 5, 12), [3, 4, 5]);
        assert_eq!(spread(3, 8, 1), [5]);
        assert_eq!(spread(7, 7, 9), [7]);
    }

    #[test]
    fn a_mask_on_another_grid_is_refused_with_what_differs() {
        let image = Geometry::axis_aligned([4, 4, 4], [1.0; 3]).unwrap();
        let shifted = image.with_grid([4, 4, 4], [1.0; 3], [0.5, 0.0, 0.0]).unwrap();
        let error = require_same_grid(&image, &shifted, Path::new("m.nii")).unwrap_err().to_string();
        assert!(error.starts_with("m.nii does not lie on the grid of the image: origin is"), "{error}");
    }
}
