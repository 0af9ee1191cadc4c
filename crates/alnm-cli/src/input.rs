//! Images that a command reads.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use alnm_imaging::dicom::{DicomFolder, PhaseKey, Series, SeriesValues, UptakeNorm, VolumeChoice};
use alnm_imaging::file::{NiftiForm, Source};
use alnm_imaging::mask::{ContourEdge, CrossingContours, MaskParams, ReadMask, RegionChoice};
use alnm_imaging::{FileFormat, Geometry, Image, LabelMap, Volume};
use anyhow::{Context, ensure};
use clap::ValueEnum;

use crate::exit::wrong_use;
use crate::messages::warn;
use crate::options::{RegionOptions, milliseconds};

/// Where messages about odd input go.
pub(crate) type Tell<'a> = &'a dyn Fn(&str);

/// What standard input is called in messages.
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// Whether standard input was read.
static IS_READ: AtomicBool = AtomicBool::new(false);

/// What was read of a stream to see what it is, with its path.
static LOOKED_AT: Mutex<Option<(PathBuf, Vec<u8>)>> = Mutex::new(None);

/// Whether an input is read once from its start to its end: standard input (`-`), a pipe, a device.
pub(crate) fn is_stream(path: &Path) -> bool {
    is_standard_input(path) || std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn is_standard_input(path: &Path) -> bool {
    path.to_str() == Some("-")
}

/// Refuses `-` where a command reads `what` from files alone.
pub(crate) fn refuse_standard_input(path: &Path, what: &str) -> anyhow::Result<()> {
    if is_standard_input(path) {
        return Err(wrong_use(format!("standard input (-) is not read as {what} here; name a file")));
    }
    Ok(())
}

/// What is read of a stream.
fn stream(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    let mut looked_at = LOOKED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, bytes)) = looked_at.take_if(|(of, _)| of == path) {
        return Ok(Box::new(io::Cursor::new(bytes)));
    }
    if !is_standard_input(path) {
        return Ok(Box::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?));
    }
    if IS_READ.swap(true, Ordering::Relaxed) {
        return Err(wrong_use("standard input (-) can be read once; name a file for the other input"));
    }
    Ok(Box::new(io::stdin().lock()))
}

/// Whether what a stream brings is a text that satisfies a test. It is kept for whoever reads the stream.
pub(crate) fn is_text(path: &Path, test: impl FnOnce(&str) -> bool) -> anyhow::Result<bool> {
    let mut bytes = Vec::new();
    stream(path)?.read_to_end(&mut bytes)?;
    let is_such = std::str::from_utf8(&bytes).is_ok_and(test);
    *LOOKED_AT.lock().unwrap_or_else(PoisonError::into_inner) = Some((path.to_owned(), bytes));
    Ok(is_such)
}

/// An image or a mask, from a file, a folder, standard input (`-`) or a pipe. A stream is copied to a nameless file
/// first, since a header may say that voxels are read from another place.
pub(crate) fn open(path: &Path) -> anyhow::Result<Source> {
    if !is_stream(path) {
        return Ok(Source::open(path)?);
    }
    let name = if is_standard_input(path) { Path::new(STANDARD_INPUT) } else { path };
    let mut file = tempfile::tempfile().context("cannot make a file for what is read from a pipe")?;
    let length = io::copy(&mut stream(path)?, &mut file).with_context(|| format!("cannot read {}", name.display()))?;
    ensure!(length > 0, "{} is empty; an image is needed", name.display());
    file.rewind()?;
    Ok(Source::of_file(file, name)?)
}

/// The text of a file, of standard input (`-`) or of a pipe.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    let name = if is_standard_input(path) { Path::new(STANDARD_INPUT) } else { path };
    let read = || -> anyhow::Result<String> {
        if !is_stream(path) {
            return Ok(std::fs::read_to_string(path)?);
        }
        let mut text = String::new();
        stream(path)?.read_to_string(&mut text)?;
        Ok(text)
    };
    read().with_context(|| format!("cannot read {}", name.display()))
}

/// Which image of a DICOM folder or file is meant, or of a file that holds several.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SeriesChoice {
    /// Phase of a dynamic DICOM series, from 1.
    #[arg(long, value_name = "N")]
    pub(crate) phase: Option<usize>,
    /// SeriesInstanceUID, where a folder holds several.
    #[arg(long, value_name = "UID")]
    pub(crate) series: Option<String>,
    /// Volume of a DICOM series, as `info` numbers them, or of a file of four dimensions, from 1.
    #[arg(long, value_name = "N", conflicts_with = "phase")]
    pub(crate) volume: Option<usize>,
    /// Images of this echo time in ms.
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    echo: Option<f64>,
    /// Images of this b-value in s/mm².
    #[arg(long, value_name = "B")]
    b_value: Option<f64>,
    /// Part of complex or Dixon images: magnitude, phase, real, imaginary, water, fat, "in phase", "opposed phase", or
    /// a word of ImageType.
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// What tells phases apart: temporal-position, trigger-time, acquisition-time, content-time, acquisition-number,
    /// dimension-index or instance-number; by default the first of them in which slices of one place differ.
    #[arg(long, value_name = "KEY")]
    phases_by: Option<PhaseKey>,
    /// Standardised uptake values of a PET series, by this norm.
    #[arg(long, value_enum, value_name = "NORM", conflicts_with = "philips_precise")]
    suv: Option<Norm>,
    /// Philips' precise values, by the private scale slope.
    #[arg(long)]
    philips_precise: bool,
    /// Read colour images as their luminance.
    #[arg(long, conflicts_with_all = ["suv", "philips_precise"])]
    luminance: bool,
    /// Which orientation of a NIfTI header is taken where the two disagree; by default the one that ITK takes.
    #[arg(long, value_enum)]
    form: Option<Form>,
}

/// The orientations of a NIfTI header.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    Qform,
    Sform,
}

/// By what uptake values are normalised.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Norm {
    /// Body weight.
    Bw,
    /// Lean body mass after James.
    Lbm,
    /// Lean body mass after Janmahasatian.
    LbmJanmahasatian,
    /// Body surface after Du Bois.
    Bsa,
}

impl SeriesChoice {
    /// Whether something is chosen that only DICOM has.
    fn needs_dicom(&self) -> bool {
        let without_volume = Self { volume: None, ..self.clone() };
        self.series.is_some() || self.phase.is_some_and(|phase| phase != 1) || !without_volume.volumes().is_all()
    }

    /// Whether an image is chosen.
    pub(crate) fn is_any(&self) -> bool {
        self.series.is_some() || self.phase.is_some() || !self.volumes().is_all()
    }

    fn volumes(&self) -> VolumeChoice {
        let mut choice = VolumeChoice::default();
        choice.part.clone_from(&self.part);
        choice.echo_time = self.echo;
        choice.b_value = self.b_value;
        choice.phases_by = self.phases_by;
        choice.volume = self.volume;
        choice.values = match self.suv {
            Some(Norm::Bw) => SeriesValues::Uptake(UptakeNorm::BodyWeight),
            Some(Norm::Lbm) => SeriesValues::Uptake(UptakeNorm::LeanBodyMass),
            Some(Norm::LbmJanmahasatian) => SeriesValues::Uptake(UptakeNorm::LeanBodyMassJanmahasatian),
            Some(Norm::Bsa) => SeriesValues::Uptake(UptakeNorm::BodySurface),
            None if self.philips_precise => SeriesValues::PhilipsPrecise,
            None if self.luminance => SeriesValues::Luminance,
            None => SeriesValues::Rescaled,
        };
        choice
    }

    /// The volumes that are meant, of the series that is meant. `tell` is told what was odd.
    pub(crate) fn of<'a>(&self, folder: &'a DicomFolder, tell: Tell<'_>) -> anyhow::Result<Cow<'a, Series>> {
        folder.file_problems().iter().for_each(|problem| tell(&format!("{problem}; the file is left out")));
        let series = match &self.series {
            Some(uid) => folder.series_with_uid(uid)?,
            None => folder.only_series()?,
        };
        let choice = self.volumes();
        let chosen = if choice.is_all() { Cow::Borrowed(series) } else { Cow::Owned(series.choose(&choice)?) };
        chosen.warnings().iter().for_each(|warning| tell(&warning.to_string()));
        Ok(chosen)
    }

    /// The image that is meant, from a file of any format or a DICOM folder.
    pub(crate) fn read_image(&self, path: &Path) -> anyhow::Result<Image> {
        self.read_chosen(open(path)?, &|odd| warn(odd)).map(|chosen| chosen.image)
    }

    /// As [`SeriesChoice::read_image`], with what a mask of the image has to agree with.
    pub(crate) fn read(&self, path: &Path) -> anyhow::Result<ChosenImage> {
        self.read_chosen(open(path)?, &|odd| warn(odd))
    }

    /// The image that is meant, from a file or folder that is open already. `tell` is told what was odd.
    pub(crate) fn read_source(&self, source: Source, tell: Tell<'_>) -> anyhow::Result<Image> {
        self.read_chosen(source, tell).map(|chosen| chosen.image)
    }

    /// As [`SeriesChoice::read`], from a file or folder that is open already.
    pub(crate) fn read_chosen(&self, source: Source, tell: Tell<'_>) -> anyhow::Result<ChosenImage> {
        if source.format() != FileFormat::Dicom {
            let source = self.placed(source, tell)?;
            let image = match self.volume {
                Some(number) => source.read_volume(number)?,
                None => source.read_image()?,
            };
            return Ok(ChosenImage { image, frame_of_reference: None, window: None });
        }
        self.read_folder(&source.dicom_folder()?, tell)
    }

    /// All volumes of a file that is not DICOM, which is open already. `tell` is told what was odd.
    pub(crate) fn read_volumes(&self, source: Source, tell: Tell<'_>) -> anyhow::Result<Vec<Image>> {
        Ok(self.placed(source, tell)?.read_volumes()?)
    }

    /// A file that is not DICOM, with the orientation that is meant.
    fn placed(&self, source: Source, tell: Tell<'_>) -> anyhow::Result<Source> {
        ensure!(
            !self.needs_dicom(),
            "--series, --phase, --echo, --b-value, --part, --phases-by, --suv, --luminance and --philips-precise need a DICOM \
             folder or file as input; a volume of another file is chosen by --volume"
        );
        let source = source.with_form(match self.form {
            Some(Form::Qform) => NiftiForm::Qform,
            Some(Form::Sform) => NiftiForm::Sform,
            None => NiftiForm::Itk,
        });
        if let Some(conflict) = source.form_conflict()? {
            tell(&format!("{}: {conflict}; --form chooses", source.path().display()));
        }
        Ok(source)
    }

    /// An image of a series, with what the series states.
    pub(crate) fn with_series(&self, image: Image, series: &Series) -> ChosenImage {
        // A window is one of the values that the file states, not of those that are made of them.
        let window = series.acquisition().window.filter(|_| self.volumes().values == SeriesValues::Rescaled);
        ChosenImage { image, frame_of_reference: series.frame_of_reference().map(str::to_owned), window }
    }

    /// As [`SeriesChoice::read_chosen`], from a DICOM folder or file.
    pub(crate) fn read_folder(&self, folder: &DicomFolder, tell: Tell<'_>) -> anyhow::Result<ChosenImage> {
        let series = self.of(folder, tell)?;
        let image = match self.phase {
            Some(number) => series.phase(number)?,
            None => series.image()?,
        };
        Ok(self.with_series(image, &series))
    }
}

/// An image with the coordinates that its series states.
#[derive(Debug)]
pub(crate) struct ChosenImage {
    pub(crate) image: Image,
    pub(crate) frame_of_reference: Option<String>,
    /// Centre and width of the window for display.
    pub(crate) window: Option<[f64; 2]>,
}

/// How contours of structure sets are filled.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct MaskDrawing {
    /// Whether voxels whose centres lie on a contour are inside: those on its left and upper edge alone (half-open), or
    /// all of them (inside), as suits files of rt-utils.
    #[arg(long, value_enum, default_value_t = Edge::HalfOpen)]
    edge: Edge,
    /// What contours of one plane enclose that cross each other.
    #[arg(long, value_enum, default_value_t = Crossing::Xor)]
    crossing: Crossing,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Edge {
    #[default]
    HalfOpen,
    Inside,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Crossing {
    /// What an odd number of them encloses.
    #[default]
    Xor,
    /// What any of them encloses.
    Union,
}

impl MaskDrawing {
    pub(crate) fn apply(self, params: MaskParams) -> MaskParams {
        let edge = match self.edge {
            Edge::HalfOpen => ContourEdge::HalfOpen,
            Edge::Inside => ContourEdge::Inside,
        };
        let crossing = match self.crossing {
            Crossing::Xor => CrossingContours::ExclusiveOr,
            Crossing::Union => CrossingContours::Union,
        };
        params.with_edge(edge).with_crossing(crossing)
    }

    /// Masks on the grid of an image; DICOM regions in other coordinates are refused.
    pub(crate) fn for_image(self, chosen: &ChosenImage) -> MaskParams {
        let mut params = self.apply(MaskParams::default()).with_grid(chosen.image.geometry().clone());
        params.frame_of_reference.clone_from(&chosen.frame_of_reference);
        params
    }
}

impl MaskDrawing {
    /// The regions of a mask file, or the one of a name or number, that belong to an image. A label map brings its own
    /// grid, which is not looked at here.
    pub(crate) fn read_for(
        self,
        chosen: &ChosenImage,
        path: &Path,
        region: Option<RegionChoice>,
    ) -> anyhow::Result<LabelMap> {
        let source = open(path)?;
        let mut params = self.for_image(chosen);
        if source.format() != FileFormat::Dicom {
            params.grid = None;
        }
        params.region = region;
        Ok(noted(params.check()?.read_with_notes(source)?))
    }
}

/// Which region of a mask is meant, and how it is drawn.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct MaskChoice {
    #[command(flatten)]
    pub(crate) region: RegionOptions,
    #[command(flatten)]
    pub(crate) drawing: MaskDrawing,
}

impl MaskChoice {
    /// The regions that are meant on a grid, which has these DICOM coordinates; on another grid than that of the mask
    /// the nearest voxel counts.
    pub(crate) fn read_on(
        &self,
        grid: &Geometry,
        frame_of_reference: Option<&str>,
        path: &Path,
    ) -> anyhow::Result<LabelMap> {
        let mut params = self.drawing.apply(MaskParams::default()).with_grid(grid.clone());
        params.frame_of_reference = frame_of_reference.map(str::to_owned);
        params.region = self.region.choice();
        let mask = noted(params.check()?.read_with_notes(open(path)?)?);
        // The grid of a file in single precision differs by a trace.
        self.region.kept(Volume::new(mask.into_data(), grid.clone())?, path)
    }

    /// As [`MaskChoice::read_on`], with the label 1 for every voxel that has one.
    pub(crate) fn read_inside(
        &self,
        grid: &Geometry,
        frame_of_reference: Option<&str>,
        path: &Path,
    ) -> anyhow::Result<LabelMap> {
        Ok(self.read_on(grid, frame_of_reference, path)?.map(|&label| u32::from(label != 0)))
    }
}

/// A mask, after what was odd about it was said.
pub(crate) fn noted(read: ReadMask) -> LabelMap {
    read.notes.iter().for_each(warn);
    read.mask
}

/// The image of a file of any format, or of a DICOM folder that holds one.
pub(crate) fn read_image(path: &Path) -> anyhow::Result<Image> {
    SeriesChoice::default().read_image(path)
}
