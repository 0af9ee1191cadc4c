//! `alnm convert`: from one format to another.

use std::path::{Path, PathBuf};

use alnm_imaging::dicom::{
    DicomFolder, DicomVoxel, DynamicSeries, MaskFile, Phase, Series, SeriesAttributes, write_series,
};
use alnm_imaging::file::Source;
use alnm_imaging::mask::{MaskParams, MaskProblem, RegionChoice};
use alnm_imaging::{FileFormat, FileProblem, Geometry, Image, ImagingError, written_files};
use anyhow::{Context, bail, ensure};

use crate::dicom_object::{ObjectInput, ObjectKind, ObjectOptions};
use crate::exit::require;
use crate::input::{MaskDrawing, SeriesChoice, noted};
use crate::interrupt;
use crate::options::{ImageOutput, OutputFile};
use crate::output::{Activity, in_folder, is_standard_stream, refuse_stream, require_folder, require_folder_of, warn};
use crate::progress::Counted;

/// Most characters of a series' description.
const LONGEST_NAME: usize = 64;

/// Write an image, a DICOM series or a mask in another format; the type of the voxels is kept.
///
/// The suffix of the output says its format: .nii, .nii.gz, .hdr, .nrrd, .nhdr, .mha or .mhd; .seg.dcm, .rtstruct.dcm,
/// .map.dcm or .page.dcm for the series of --like. A name without one is a folder for a DICOM series. Masks are asked
/// for by --roi, --roi-number or --like, or by a structure set or segmentation as input. A DICOM segmentation,
/// structure set, parametric map or page belongs to the series of --like: it has its patient, study and frame of
/// reference, refers to its images, and says that it is for research.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  alnm convert dce-folder phase4.nii.gz --phase 4\n  \
alnm convert dce-folder phases.nii.gz --all-phases\n  \
alnm convert echoes-folder echo.nii.gz --all-volumes\n  \
alnm convert structures.dcm gtv.nrrd --roi GTV-1 --like ct-folder\n  \
alnm convert image.nrrd dicom-folder\n  \
gunzip -c image.nii.gz | alnm convert - - --as mha > image.mha")]
pub(crate) struct Convert {
    /// Image file, DICOM mask (RTSTRUCT, SEG) or DICOM folder; `-` is standard input.
    input: PathBuf,
    #[command(flatten)]
    output: OutputFile,
    #[command(flatten)]
    choice: SeriesChoice,
    /// Write every phase: into one DICOM series, or into a file each, numbered from 1 before the suffix.
    #[arg(long, conflicts_with = "phase")]
    all_phases: bool,
    /// Write every volume of a series, or of a file of four dimensions, into a file each, numbered before the suffix as
    /// `info` numbers them.
    #[arg(long, conflicts_with_all = ["phase", "volume", "all_phases", "one_file", "series_as_phases"])]
    all_volumes: bool,
    /// With --all-phases or --series-as-phases, write one file of four dimensions instead of a file for each phase.
    #[arg(long)]
    one_file: bool,
    /// Take the series of the folder as the phases of one dynamic series, in order of time.
    #[arg(long, conflicts_with = "series")]
    series_as_phases: bool,
    /// Region of a mask by name.
    #[arg(long, value_name = "NAME", conflicts_with = "roi_number")]
    roi: Option<String>,
    /// Region of a mask by number: ROI number, segment number, or label.
    #[arg(short = 'l', long, visible_alias = "label", value_name = "N")]
    roi_number: Option<u32>,
    /// Write each region of a DICOM mask into a file of its own, with the label 1, numbered before the suffix as `info`
    /// numbers them. Regions may overlap; those without a closed contour are left out.
    #[arg(long, conflicts_with_all = ["roi", "roi_number"])]
    all_regions: bool,
    #[command(flatten)]
    drawing: MaskDrawing,
    /// Image on whose grid a mask is drawn; for a DICOM object, the folder of the series to which it belongs.
    #[arg(long, value_name = "IMAGE")]
    like: Option<PathBuf>,
    #[command(flatten)]
    object: ObjectOptions,
    /// PatientID of a DICOM series to write; else that of a DICOM input, or none.
    #[arg(long, value_name = "ID")]
    patient_id: Option<String>,
    /// SeriesDescription of a DICOM series to write; else that of a DICOM input, or the folder's name.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Modality of a DICOM series to write, such as MR or CT; else that of a DICOM input, or MR.
    #[arg(long, value_name = "CODE")]
    modality: Option<String>,
    /// Remove what identifies the patient from a DICOM series to write, by the basic profile of the standard (PS3.15).
    /// The key makes the new identifiers: the same key keeps the series of a patient together. Voxels are not looked
    /// at: a name that is burnt into them, or a face, stays.
    #[arg(long, value_name = "KEY")]
    deidentify: Option<String>,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    written: ImageOutput,
}

/// Images to write, and what is known of them.
struct Input {
    images: DynamicSeries,
    /// Of a DICOM series.
    attributes: Option<SeriesAttributes>,
    /// Seconds from the start of the study to the first image.
    start: f64,
}

impl Input {
    fn of_file(image: Image) -> anyhow::Result<Self> {
        Ok(Self { images: DynamicSeries::new(vec![image], vec![0.0])?, attributes: None, start: 0.0 })
    }

    fn of_series(series: &Series, images: DynamicSeries) -> Self {
        Self { images, attributes: Some(series.attributes()), start: series.time_in_study() }
    }

    /// One of the phases, counted from 1.
    fn phase(self, number: usize) -> anyhow::Result<Self> {
        let (mut images, times) = self.images.into_parts();
        ensure!(
            (1..=images.len()).contains(&number),
            "phase {number} was asked for; the series has the phases 1 to {}",
            images.len()
        );
        let images = DynamicSeries::new(vec![images.swap_remove(number - 1)], vec![times[number - 1]])?;
        Ok(Self { images, ..self })
    }
}

/// What is converted, opened once.
enum Content {
    /// A file or folder from which a region was asked for.
    Regions(Source),
    /// A structure set or segmentation, whole.
    Mask(DicomFolder),
    Series(DicomFolder),
    /// An image of another format than DICOM.
    Image(Source),
}

impl Convert {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.threads.start()?;
        if !is_standard_stream(&self.output) {
            self.written.refuse_stream_format(&self.output)?;
        }
        let key = self.deidentify.as_deref();
        require(
            key.is_none_or(|key| !key.trim().is_empty()),
            "--deidentify is empty; its key makes the new identifiers, so that nobody else can",
        )?;
        let object = self.object.kind(&self.output)?;
        require(
            self.deidentify.is_none() || (object.is_none() && is_folder(&self.output)),
            "--deidentify writes a DICOM series; name a folder as output, and write DICOM objects for that series",
        )?;
        if let Some(kind) = object {
            ensure!(
                !self.all_regions,
                "--all-regions writes images; a DICOM object holds regions that do not overlap, or one by --roi"
            );
            return self.write_object(kind);
        }
        if self.all_regions {
            return self.write_regions();
        }
        if is_folder(&self.output) { require_folder(&self.output) } else { require_folder_of(&self.output) }?;
        let content = self.open()?;
        if matches!(content, Content::Regions(_) | Content::Mask(_)) {
            let chooses_images = self.choice.is_any() || self.all_phases || self.all_volumes || self.series_as_phases;
            ensure!(
                !chooses_images,
                "--phase, --all-phases, --all-volumes, --series, --series-as-phases, --volume and the like choose images; a mask is \
                 converted here",
            );
            self.written.check([&*self.output])?;
        }
        let activity = Activity::start("reading");
        match content {
            Content::Regions(source) => {
                let read = self.mask_params()?.check()?.read_with_notes(source)?;
                activity.next("writing");
                self.written.write_mask(&self.output, &noted(read))?;
            }
            Content::Mask(folder) => {
                let mask = folder.only_mask()?.context("the file holds no mask")?;
                let read = self.mask_params()?.check()?.draw_with_notes(mask)?;
                activity.next("writing");
                self.written.write_mask(&self.output, &noted(read))?;
            }
            Content::Series(folder) if self.all_volumes => self.write_volumes(&folder)?,
            Content::Series(folder) => {
                let input = self.read_series(&folder)?;
                activity.next("writing");
                self.write(input)?;
            }
            Content::Image(source) if self.all_volumes => self.write_volumes_of_file(source)?,
            Content::Image(source) => {
                let input = self.read_file(source)?;
                activity.next("writing");
                self.write(input)?;
            }
        }
        activity.finish();
        Ok(())
    }

    /// Writes a DICOM object for the series that --like names.
    fn write_object(&self, kind: ObjectKind) -> anyhow::Result<()> {
        require(
            !(self.all_phases || self.all_volumes || self.series_as_phases),
            "--all-phases, --all-volumes and --series-as-phases choose images; a DICOM object belongs to one phase of --like, which \
             --phase chooses",
        )?;
        require(
            self.patient_id.is_none() && self.modality.is_none(),
            "a DICOM object has the patient of --like and a modality of its own; leave --patient-id and --modality away",
        )?;
        refuse_stream(&self.output, "DICOM object")?;
        self.written.overwriting.check_files([&*self.output])?;
        let activity = Activity::start("writing");
        let input = ObjectInput {
            input: &self.input,
            like: self.like.as_deref(),
            choice: &self.choice,
            drawing: self.drawing,
            region: self.region_choice(),
            description: self.description.as_deref(),
        };
        self.object.write(kind, &input, &self.output)?;
        activity.finish();
        Ok(())
    }

    /// Writes each region of a mask, whatever it overlaps, before the next is drawn.
    fn write_regions(&self) -> anyhow::Result<()> {
        refuse_stream(&self.output, "several regions")?;
        ensure!(!is_folder(&self.output), "--all-regions writes files; give the output a suffix such as .nii.gz");
        let mask = MaskFile::find(&self.input)?;
        let mask = mask.with_context(|| format!("{} holds no structure set or segmentation", self.input.display()))?;
        let regions = mask.regions();
        let paths: Vec<PathBuf> = regions.iter().map(|region| numbered(&self.output, region.number)).collect();
        self.written.check(paths.iter().map(PathBuf::as_path))?;
        let params = self.mask_params()?;
        interrupt::keeps("regions that are written are kept");
        let progress = Counted::start("regions", paths.len());
        for (region, path) in regions.iter().zip(&paths) {
            let reader = params.clone().with_region(RegionChoice::Number(region.number)).check()?;
            match reader.draw_with_notes(&mask) {
                Err(problem) if has_no_contour(&problem) => warn(format_args!("{problem}; it is left out")),
                drawn => self.written.write_mask(path, &noted(drawn?))?,
            }
            progress.advance();
        }
        Ok(())
    }

    fn region_choice(&self) -> Option<RegionChoice> {
        self.roi.as_deref().map(RegionChoice::from).or(self.roi_number.map(RegionChoice::from))
    }

    /// Opens the input. A mask is converted where one is asked for, or where it is all that a file holds.
    fn open(&self) -> anyhow::Result<Content> {
        let source = crate::input::open(&self.input)?;
        if self.roi.is_some() || self.roi_number.is_some() || self.like.is_some() {
            return Ok(Content::Regions(source));
        }
        if source.format() != FileFormat::Dicom {
            return Ok(Content::Image(source));
        }
        let is_file = !source.is_folder();
        let folder = source.dicom_folder()?;
        // In a folder with images a mask is one of them.
        let is_mask = !folder.masks().is_empty() && (is_file || folder.series().is_empty());
        Ok(if is_mask { Content::Mask(folder) } else { Content::Series(folder) })
    }

    fn mask_params(&self) -> anyhow::Result<MaskParams> {
        let mut params = self.drawing.apply(MaskParams::default());
        params.region = self.region_choice();
        if let Some(like) = self.like.as_deref().map(Reference::read).transpose()? {
            params.grid = Some(like.grid);
            params.frame_of_reference = like.frame_of_reference;
        }
        Ok(params)
    }

    fn read_file(&self, source: Source) -> anyhow::Result<Input> {
        ensure!(
            !(self.all_phases || self.series_as_phases),
            "--all-phases and --series-as-phases need a DICOM folder or file as input; of another file --volume chooses a \
             volume, and --all-volumes takes all",
        );
        Input::of_file(self.choice.read_source(source, &|odd| warn(odd))?)
    }

    fn read_series(&self, folder: &DicomFolder) -> anyhow::Result<Input> {
        if self.series_as_phases {
            let first = folder.series().iter().min_by(|a, b| a.time_in_study().total_cmp(&b.time_in_study()));
            let input = Input::of_series(first.context("the folder holds no series")?, folder.series_as_phases()?);
            return match self.choice.phase {
                Some(number) => input.phase(number),
                None => Ok(input),
            };
        }
        let series = self.choice.of(folder, &|odd| warn(odd))?;
        let images = match self.choice.phase {
            _ if self.all_phases => series.phases()?,
            Some(number) => DynamicSeries::new(vec![series.phase(number)?], vec![series.times()?[number - 1]])?,
            None => DynamicSeries::new(vec![series.image()?], vec![0.0])?,
        };
        Ok(Input::of_series(&series, images))
    }

    /// Writes each volume of a series, whatever tells it apart.
    fn write_volumes(&self, folder: &DicomFolder) -> anyhow::Result<()> {
        let series = self.choice.of(folder, &|odd| warn(odd))?;
        let files = self.files_of_volumes(series.volumes()?.len())?;
        self.write_each(&files, (1..=files.len()).map(|number| Ok(series.volume(number)?)))
    }

    /// Writes each volume of a file of four dimensions.
    fn write_volumes_of_file(&self, source: Source) -> anyhow::Result<()> {
        let files = self.files_of_volumes(source.try_clone()?.read_header()?.volumes)?;
        let images = self.choice.read_volumes(source, &|odd| warn(odd))?;
        self.write_each(&files, images.into_iter().map(Ok))
    }

    /// The files into which so many volumes go, after a check that they can be written.
    fn files_of_volumes(&self, count: usize) -> anyhow::Result<Vec<PathBuf>> {
        refuse_stream(&self.output, "several volumes")?;
        require(!is_folder(&self.output), "--all-volumes writes files; give the output a suffix such as .nii.gz")?;
        let files: Vec<PathBuf> = (1..=count).map(|number| numbered(&self.output, number)).collect();
        self.written.check(files.iter().map(PathBuf::as_path))?;
        Ok(files)
    }

    /// Writes volumes into a file each, one before the next is taken.
    fn write_each(&self, files: &[PathBuf], images: impl Iterator<Item = anyhow::Result<Image>>) -> anyhow::Result<()> {
        interrupt::keeps("volumes that are written are kept");
        let progress = Counted::start("volumes", files.len());
        for (file, image) in files.iter().zip(images) {
            self.written.write(file, &image?)?;
            progress.advance();
        }
        Ok(())
    }

    fn write(&self, input: Input) -> anyhow::Result<()> {
        if is_folder(&self.output) {
            if !is_empty_folder(&self.output) {
                self.written.overwriting.check([&*self.output])?;
            }
            return self.write_dicom(input);
        }
        let images = input.images.images();
        let is_numbered = self.choice.phase.is_none() && (self.all_phases || self.series_as_phases);
        let paths = match images.len() {
            1 if !is_numbered => vec![self.output.to_path_buf()],
            _ if is_standard_stream(&self.output) => vec![self.output.to_path_buf(); images.len()],
            count => (1..=count).map(|number| numbered(&self.output, number)).collect(),
        };
        if self.one_file {
            require(is_numbered, "--one-file needs --all-phases or --series-as-phases")?;
            self.written.check([&*self.output])?;
            return self.written.write_volumes(&self.output, images, mean_step(input.images.times()));
        }
        if paths.len() > 1 {
            refuse_stream(&self.output, "several phases unless --one-file is set")?;
        }
        self.written.check(paths.iter().map(PathBuf::as_path))?;
        if paths.len() > 1 {
            interrupt::keeps("phases that are written are kept");
        }
        let progress = (paths.len() > 1).then(|| Counted::start("files", paths.len()));
        for (path, image) in paths.iter().zip(images) {
            self.written.write(path, image)?;
            progress.iter().for_each(Counted::advance);
        }
        Ok(())
    }

    fn write_dicom(&self, input: Input) -> anyhow::Result<()> {
        let Input { images, attributes, start } = input;
        let (images, times) = images.into_parts();
        check_one_type(&images)?;
        let name = self.output.file_name().context("the output names no folder; give it a name")?.to_string_lossy();
        let mut attributes = attributes
            .unwrap_or_else(|| SeriesAttributes::new("", &name.chars().take(LONGEST_NAME).collect::<String>()));
        if let Some(key) = &self.deidentify {
            attributes = attributes.deidentified(key);
        }
        let options = [
            (&self.patient_id, &mut attributes.patient_id),
            (&self.description, &mut attributes.series_description),
            (&self.modality, &mut attributes.modality),
        ];
        for (given, attribute) in options {
            if let Some(given) = given {
                attribute.clone_from(given);
            }
        }
        let times: Vec<f64> =
            times.iter().zip(0..).map(|(time, i)| start + if time.is_nan() { f64::from(i) } else { *time }).collect();
        match &images[0] {
            Image::U8(_) => write_typed::<u8>(&self.output, &images, &times, &attributes),
            Image::U16(_) => write_typed::<u16>(&self.output, &images, &times, &attributes),
            Image::I16(_) => write_typed::<i16>(&self.output, &images, &times, &attributes),
            image => bail!(
                "voxels of type {:?} cannot be written as DICOM, which takes U8, U16 and I16; write NRRD, NIfTI or MetaImage, which keep them",
                image.pixel_type()
            ),
        }
    }
}

/// Whether a region has points or open lines alone, as marks in a structure set have.
fn has_no_contour(error: &ImagingError) -> bool {
    let ImagingError::File { problem: FileProblem::Mask(problem), .. } = error else { return false };
    matches!(**problem, MaskProblem::NoClosedContour { .. })
}

/// The grid on which a mask is drawn.
struct Reference {
    grid: Geometry,
    frame_of_reference: Option<String>,
}

impl Reference {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let source = crate::input::open(path)?;
        if source.format() == FileFormat::Dicom {
            let folder = source.dicom_folder()?;
            let series = folder.only_series()?;
            return Ok(Self {
                grid: series.geometry()?.clone(),
                frame_of_reference: series.frame_of_reference().map(str::to_owned),
            });
        }
        Ok(Self { grid: source.read_geometry()?, frame_of_reference: None })
    }
}

/// Refuses phases of different voxel types: a DICOM series has one, and another's values may not fit it.
fn check_one_type(images: &[Image]) -> anyhow::Result<()> {
    let first = images[0].pixel_type();
    let other = images.iter().map(Image::pixel_type).find(|pixel_type| *pixel_type != first);
    if let Some(other) = other {
        bail!(
            "phases of voxel types {first:?} and {other:?} cannot be written as one DICOM series, which has one type; \
             write a file for each phase, as in phases.nii.gz"
        );
    }
    Ok(())
}

/// Seconds from one phase to the next, which a file of four dimensions states once; a word where they are not even.
fn mean_step(times: &[f64]) -> f64 {
    /// How far a step may lie from the mean, in seconds, without a word.
    const EVEN: f64 = 1e-3;
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return f64::NAN };
    let mean = (last - first) / times.len().saturating_sub(1).max(1) as f64;
    let is_uneven = times.windows(2).any(|pair| (pair[1] - pair[0] - mean).abs() > EVEN);
    if is_uneven {
        let times: Vec<String> = times.iter().map(f64::to_string).collect();
        warn(format_args!(
            "the phases were taken after {} s; the file states {mean} s from one to the next",
            times.join(", ")
        ));
    }
    mean
}

/// Writes a series next to its folder and puts it in its place when it is complete.
fn write_typed<T: DicomVoxel>(
    folder: &Path,
    images: &[Image],
    times: &[f64],
    attributes: &SeriesAttributes,
) -> anyhow::Result<()> {
    let _whole = interrupt::while_writing();
    let phases: Vec<Phase<T>> = images.iter().zip(times).map(|(image, &time)| Phase::new(image.cast(), time)).collect();
    if !folder.exists() || is_empty_folder(folder) {
        return in_folder(folder, || Ok(write_series(folder, &phases, attributes)?));
    }
    check_is_slices(folder)?;
    // Made absolute, so that "." and ".." have a name and a parent.
    let folder = folder.canonicalize()?;
    let parent = folder.parent().context("the output names no folder; give it a name")?;
    let waiting = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(parent)?;
    let (new, old) = (waiting.path().join("new"), waiting.path().join("old"));
    write_series(&new, &phases, attributes)?;
    let moving = || format!("replacing {}", folder.display());
    std::fs::rename(&folder, &old).with_context(moving)?;
    std::fs::rename(&new, &folder).or_else(|error| std::fs::rename(&old, &folder).and(Err(error))).with_context(moving)
}

/// Refuses a folder that holds anything but slices that an earlier conversion wrote: it is replaced as a whole, since
/// slices of another series among the new ones would be read with them.
fn check_is_slices(folder: &Path) -> anyhow::Result<()> {
    for entry in folder.read_dir()? {
        let file = entry?.path();
        ensure!(
            file.is_file() && is_slice_name(&file.file_name().unwrap_or_default().to_string_lossy()),
            "{} is no slice that a conversion wrote, so the series in its folder is not replaced; name another folder",
            file.display()
        );
    }
    Ok(())
}

/// Whether a file is named as slices are: `<phase>-<slice>.dcm`.
fn is_slice_name(name: &str) -> bool {
    let numbers = name.strip_suffix(".dcm").and_then(|stem| stem.split_once('-'));
    let is_number =
        |text: &str, shortest: usize| text.len() >= shortest && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(phase, slice)| is_number(phase, 2) && is_number(slice, 4))
}

/// A name without a suffix is that of a folder, and so is that of a folder that is there, unless its suffix is that of an
/// image: then a file is meant.
fn is_folder(path: &Path) -> bool {
    let is_there = || path.is_dir() && written_files(path).is_err();
    !is_standard_stream(path) && (path.extension().is_none() || is_there())
}

fn is_empty_folder(path: &Path) -> bool {
    path.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

/// The name with a number before its suffix, `.nii.gz` being one.
fn numbered(path: &Path, number: impl std::fmt::Display) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    let at = stem.rfind('.').unwrap_or(name.len());
    path.with_file_name(format!("{}-{number}{}", &name[..at], &name[at..]))
}
