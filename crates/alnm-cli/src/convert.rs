//! `alnm convert`: from one format to another.

use std::path::{Path, PathBuf};

use alnm_imaging::dicom::{DicomFolder, DicomVoxel, DynamicSeries, MaskFile, Phase, SeriesAttributes, write_series};
use alnm_imaging::mask::{MaskReader, RegionChoice};
use alnm_imaging::{FileFormat, Geometry, Image, Volume, file_format, read_image, write_image, write_mask};
use anyhow::{Context, bail, ensure};

use crate::output::Overwriting;

/// Write an image, a DICOM series or a mask in another format; the type of the voxels is kept.
///
/// The format of the output is told from its suffix; a name without one is a folder for a DICOM series. Masks are asked for
/// by --roi, --roi-number or --like, or by a structure set or segmentation as input.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  alnm convert dce-folder phase4.nii.gz --phase 4\n  \
alnm convert dce-folder phases.nii.gz --all-phases\n  \
alnm convert structures.dcm gtv.nrrd --roi GTV-1 --like ct-folder\n  \
alnm convert image.nrrd dicom-folder\n\n\
Exit codes: 0 done, 1 a file cannot be read or written, or exists, 2 the command line is wrong")]
pub(crate) struct Convert {
    /// Image file, DICOM mask (RTSTRUCT, SEG) or DICOM folder.
    input: PathBuf,
    /// File to write (.nii, .nii.gz, .hdr, .nrrd, .nhdr, .mha or .mhd), or folder for a DICOM series.
    output: PathBuf,
    /// Phase of a dynamic DICOM series, from 1.
    #[arg(long, conflicts_with = "all_phases")]
    phase: Option<usize>,
    /// Write every phase: into one DICOM series, or into a file each, numbered from 1 before the suffix.
    #[arg(long)]
    all_phases: bool,
    /// Take the series of the folder as the phases of one dynamic series, in order of time.
    #[arg(long, conflicts_with = "series")]
    series_as_phases: bool,
    /// SeriesInstanceUID, where a folder holds several.
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    /// Region of a mask by name.
    #[arg(long, value_name = "NAME", conflicts_with = "roi_number")]
    roi: Option<String>,
    /// Region of a mask by number: ROI number, segment number, or label.
    #[arg(long, value_name = "N")]
    roi_number: Option<u32>,
    /// Image on whose grid a mask is drawn.
    #[arg(long, value_name = "IMAGE")]
    like: Option<PathBuf>,
    #[command(flatten)]
    overwriting: Overwriting,
}

impl Convert {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.is_mask()? {
            let chooses_images = self.phase.is_some() || self.all_phases || self.series_as_phases || self.series.is_some();
            ensure!(!chooses_images, "--phase, --all-phases, --series and --series-as-phases choose images; a mask is converted here");
            let mask = self.read_mask()?;
            self.overwriting.check([self.output.as_path()])?;
            return Ok(write_mask(&self.output, &mask)?);
        }
        if self.all_phases || self.series_as_phases {
            let phases = self.read_phases()?;
            return self.write_phases(phases);
        }
        self.write_one(self.read_image()?)
    }

    fn write_one(&self, image: Image) -> anyhow::Result<()> {
        self.overwriting.check([self.output.as_path()])?;
        if is_folder(&self.output) {
            return self.write_dicom(DynamicSeries { images: vec![image], times: vec![0.0] });
        }
        Ok(write_image(&self.output, &image)?)
    }

    /// Whether a mask is converted: asked for, or the only thing that the input file is.
    fn is_mask(&self) -> anyhow::Result<bool> {
        if self.roi.is_some() || self.roi_number.is_some() || self.like.is_some() {
            return Ok(true);
        }
        let is_dicom_file = !self.input.is_dir() && file_format(&self.input)? == FileFormat::Dicom;
        Ok(is_dicom_file && MaskFile::find(&self.input)?.is_some())
    }

    fn read_mask(&self) -> anyhow::Result<Volume<u32>> {
        let like = self.like.as_deref().map(Reference::read).transpose()?;
        let mut reader = MaskReader::new();
        let choice = self.roi.as_deref().map(RegionChoice::from).or(self.roi_number.map(RegionChoice::from));
        if let Some(choice) = choice {
            reader = reader.region(choice);
        }
        if let Some(like) = &like {
            reader = reader.grid(&like.grid);
            if let Some(uid) = &like.frame_of_reference {
                reader = reader.frame_of_reference(uid);
            }
        }
        Ok(reader.read(&self.input)?)
    }

    /// The series of a folder, or of a DICOM file by itself; none for a file of another format.
    fn scan(&self) -> anyhow::Result<Option<DicomFolder>> {
        if self.input.is_dir() {
            return Ok(Some(DicomFolder::scan(&self.input)?));
        }
        let is_dicom = file_format(&self.input)? == FileFormat::Dicom;
        Ok(is_dicom.then(|| DicomFolder::from_files(std::slice::from_ref(&self.input))).transpose()?)
    }

    fn read_image(&self) -> anyhow::Result<Image> {
        let Some(folder) = self.scan()? else {
            ensure!(
                self.series.is_none() && self.phase.is_none_or(|phase| phase == 1),
                "--series and --phase need a DICOM folder or file as input"
            );
            return Ok(read_image(&self.input)?);
        };
        let series = match &self.series {
            Some(uid) => folder.series_with_uid(uid)?,
            None => folder.only_series()?,
        };
        Ok(match self.phase {
            Some(number) => series.phase(number)?,
            None => series.image()?,
        })
    }

    fn read_phases(&self) -> anyhow::Result<DynamicSeries> {
        let folder = self.scan()?.context("--all-phases and --series-as-phases need a DICOM folder or file as input")?;
        Ok(match &self.series {
            _ if self.series_as_phases => folder.series_as_phases()?,
            Some(uid) => folder.series_with_uid(uid)?.phases()?,
            None => folder.only_series()?.phases()?,
        })
    }

    fn write_phases(&self, mut phases: DynamicSeries) -> anyhow::Result<()> {
        if let Some(number) = self.phase {
            let count = phases.images.len();
            ensure!((1..=count).contains(&number), "phase {number} asked for; there are phases 1 to {count}");
            return self.write_one(phases.images.swap_remove(number - 1));
        }
        if is_folder(&self.output) {
            self.overwriting.check([self.output.as_path()])?;
            return self.write_dicom(phases);
        }
        let paths: Vec<PathBuf> = (1..=phases.images.len()).map(|number| numbered(&self.output, number)).collect();
        self.overwriting.check(paths.iter().map(PathBuf::as_path))?;
        for (path, image) in paths.iter().zip(&phases.images) {
            write_image(path, image)?;
        }
        Ok(())
    }

    fn write_dicom(&self, series: DynamicSeries) -> anyhow::Result<()> {
        check_one_type(&series.images)?;
        let name = self.output.file_name().context("the output names no folder")?.to_string_lossy();
        let attributes = SeriesAttributes::new(&name, &name);
        let times: Vec<f64> = series.times.iter().zip(0..).map(|(time, i)| if time.is_nan() { f64::from(i) } else { *time }).collect();
        match &series.images[0] {
            Image::U8(_) => write_typed::<u8>(&self.output, series, &times, &attributes),
            Image::U16(_) => write_typed::<u16>(&self.output, series, &times, &attributes),
            Image::I16(_) => write_typed::<i16>(&self.output, series, &times, &attributes),
            image => bail!("voxels of type {:?} cannot be written as DICOM; U8, U16 and I16 can", image.pixel_type()),
        }
    }
}

/// The grid on which a mask is drawn.
struct Reference {
    grid: Geometry,
    frame_of_reference: Option<String>,
}

impl Reference {
    fn read(path: &Path) -> anyhow::Result<Self> {
        if path.is_dir() {
            let folder = DicomFolder::scan(path)?;
            let series = folder.only_series()?;
            return Ok(Self { grid: series.geometry()?.clone(), frame_of_reference: series.frame_of_reference.clone() });
        }
        Ok(Self { grid: read_image(path)?.geometry().clone(), frame_of_reference: None })
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

fn write_typed<T: DicomVoxel>(folder: &Path, series: DynamicSeries, times: &[f64], attributes: &SeriesAttributes) -> anyhow::Result<()> {
    let phases: Vec<Phase<T>> = series.images.iter().zip(times).map(|(image, &time)| Phase { volume: image.cast(), time }).collect();
    let old = slice_files(folder)?;
    if old.is_empty() {
        return Ok(write_series(folder, &phases, attributes)?);
    }
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let fresh = folder.with_file_name(name);
    let replaced = write_series(&fresh, &phases, attributes).map_err(anyhow::Error::from).and_then(|()| replace(&old, &fresh, folder));
    if replaced.is_err() {
        // The error that is reported is the one that came first.
        let _ = std::fs::remove_dir_all(&fresh);
    }
    replaced
}

/// The slices of a series that an earlier conversion wrote into a folder; none when the folder is missing. A folder that holds
/// anything else is refused, since slices of another series beside the new ones would be read with them.
fn slice_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let files: Vec<PathBuf> = folder.read_dir()?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    for file in &files {
        ensure!(
            file.is_file() && is_slice_name(&file.file_name().unwrap_or_default().to_string_lossy()),
            "{} is no slice that a conversion wrote, so the series in its folder is not replaced; name another folder",
            file.display()
        );
    }
    Ok(files)
}

/// Whether a file is named as slices are: `<phase>-<slice>.dcm`.
fn is_slice_name(name: &str) -> bool {
    let numbers = name.strip_suffix(".dcm").and_then(|stem| stem.split_once('-'));
    let is_number = |text: &str, shortest: usize| text.len() >= shortest && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(phase, slice)| is_number(phase, 2) && is_number(slice, 4))
}

/// Removes the old files of a folder and moves those of the fresh one there.
fn replace(old: &[PathBuf], fresh: &Path, folder: &Path) -> anyhow::Result<()> {
    for file in old {
        std::fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
    }
    for entry in fresh.read_dir()? {
        let file = entry?;
        std::fs::rename(file.path(), folder.join(file.file_name())).with_context(|| format!("moving {}", file.path().display()))?;
    }
    Ok(std::fs::remove_dir(fresh)?)
}

/// A name without a suffix is that of a folder.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.extension().is_none()
}

/// The name with a number before its suffix, `.nii.gz` being one.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    let at = stem.rfind('.').unwrap_or(name.len());
    path.with_file_name(format!("{}-{number}{}", &name[..at], &name[at..]))
}
