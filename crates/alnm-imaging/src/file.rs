//! Reading and writing images, whatever their format, and writing masks.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use crate::atomic_file::{folder_of, sync_folder};
#[cfg(feature = "dicom")]
use crate::dicom;
#[cfg(feature = "dicom")]
use crate::dicom::stored_file::is_dicom;
use crate::error::{FileProblem, Result};
use crate::geometry::Geometry;
use crate::volume::{Image, LabelMap, Voxel};
use crate::voxel_data::{Part, Written, WrittenSeries, stacked, unstacked};
use crate::{metaimage, nifti, nrrd};

pub use crate::atomic_file::{AtomicFile, remove_unfinished, write_atomically};
pub use crate::format::{FileFormat, MAX_VOXEL_BYTES};
pub use crate::voxel_data::{FormConflict, HeaderOutline, ImageHeader, NamedSegment, NiftiForm};

/// Reads an image; its format is found from the content, not from the name. A folder is read as a DICOM series; of a
/// dynamic series, choose a phase with [`crate::dicom::read_phase`].
///
/// # Errors
/// [`crate::ImagingError::File`] with the path and what is wrong there.
///
/// ```
/// use alnm_imaging::{Geometry, Image, Volume, read_image, write_image};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("image.nrrd");
/// let image = Image::I16(Volume::filled(Geometry::axis_aligned([8, 8, 4], [0.5, 0.5, 2.0])?, 100));
/// write_image(&path, &image)?;
/// assert_eq!(read_image(&path)?, image);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_image(path: impl AsRef<Path>) -> Result<Image> {
    Source::open(path)?.read_image()
}

/// The format of a file, found from its content; a folder is read as DICOM.
///
/// # Errors
/// [`crate::ImagingError::File`] when the file cannot be read or belongs to none of the formats.
pub fn file_format(path: impl AsRef<Path>) -> Result<FileFormat> {
    Source::open(path).map(|source| source.format())
}

/// A file or folder with an image or a mask, which is opened once and whose format is detected once. Use it where the
/// format has to be known before it can be decided what to read.
///
/// ```
/// use alnm_imaging::file::Source;
/// use alnm_imaging::{FileFormat, Geometry, Volume, write_image};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("image.nrrd");
/// write_image(&path, &Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 7_u8).into())?;
///
/// let source = Source::open(&path)?;
/// assert_eq!(source.format(), FileFormat::Nrrd);
/// assert_eq!(source.read_image()?.geometry().size(), [4, 4, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    content: Content,
    form: NiftiForm,
}

#[derive(Debug)]
enum Content {
    Folder,
    File {
        format: FileFormat,
        file: File,
        /// The first bytes, which were read already.
        #[cfg(feature = "dicom")]
        start: Vec<u8>,
    },
}

impl Source {
    /// Bytes from the start of a file by which its format is found.
    const START: u64 = 4096;

    /// Opens a file or folder and finds its format.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the file cannot be read or belongs to none of the formats.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let content = if path.is_dir() { Content::Folder } else { Content::of_file(path).map_err(|p| p.at(path))? };
        Ok(Self { path: path.to_owned(), content, form: NiftiForm::default() })
    }

    /// Finds the format of a file that is open already and may have no name, as one into which standard input was
    /// copied. `name` stands for it in messages, and decides nothing else but where files lie that a header names.
    ///
    /// # Errors
    /// As [`Source::open`].
    ///
    /// ```
    /// use alnm_imaging::file::Source;
    /// use alnm_imaging::{FileFormat, Geometry, Volume, write_image};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("image.nrrd");
    /// write_image(&path, &Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 7_u8).into())?;
    /// let source = Source::of_file(std::fs::File::open(&path)?, "standard input")?;
    /// assert_eq!(source.format(), FileFormat::Nrrd);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_file(file: File, name: impl AsRef<Path>) -> Result<Self> {
        let path = name.as_ref();
        let content = from_start(&file).and_then(|file| Content::of_opened(path, file)).map_err(|p| p.at(path))?;
        Ok(Self { path: path.to_owned(), content, form: NiftiForm::default() })
    }

    /// The same file opened once more, also where it has no name by which it could be.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the system has no room for another open file.
    pub fn try_clone(&self) -> Result<Self> {
        let content = match &self.content {
            Content::Folder => Content::Folder,
            Content::File {
                format,
                file,
                #[cfg(feature = "dicom")]
                start,
            } => Content::File {
                format: *format,
                file: file.try_clone().map_err(|error| FileProblem::from(error).at(&self.path))?,
                #[cfg(feature = "dicom")]
                start: start.clone(),
            },
        };
        Ok(Self { path: self.path.clone(), content, form: self.form })
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a folder.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        matches!(self.content, Content::Folder)
    }

    /// The format; a folder is read as DICOM.
    #[must_use]
    pub fn format(&self) -> FileFormat {
        match self.content {
            Content::Folder => FileFormat::Dicom,
            Content::File { format, .. } => format,
        }
    }

    /// The files that the image is read from: the file itself and, where its header names others for the voxels, those;
    /// of a folder all files below it, in order of their names. Whoever keeps what was computed from an image can tell
    /// by them whether it is still the same.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when a header is malformed or a folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let (format, file) = match &self.content {
            Content::Folder => return self.files_of_folder(),
            Content::File { format, file, .. } => (*format, file),
        };
        let named = match format {
            FileFormat::Nrrd => from_start(file).and_then(|file| nrrd::data_files(&self.path, &file)),
            FileFormat::MetaImage => from_start(file).and_then(|file| metaimage::data_files(&self.path, &file)),
            FileFormat::Nifti => Ok(nifti::data_files(&self.path)),
            FileFormat::Dicom => Ok(Vec::new()),
        };
        let named = named.map_err(|problem| problem.at(&self.path))?;
        Ok(std::iter::once(self.path.clone()).chain(named).collect())
    }

    #[cfg(feature = "dicom")]
    fn files_of_folder(&self) -> Result<Vec<PathBuf>> {
        dicom::listing::files_below(&self.path)
    }

    #[cfg(not(feature = "dicom"))]
    fn files_of_folder(&self) -> Result<Vec<PathBuf>> {
        Err(no_dicom().at(&self.path))
    }

    /// Takes another orientation of a NIfTI header than the one that ITK takes.
    #[must_use]
    pub fn with_form(self, form: NiftiForm) -> Self {
        Self { form, ..self }
    }

    /// Whether the two orientations of a NIfTI header disagree; none for other formats.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the header is malformed.
    pub fn form_conflict(&self) -> Result<Option<FormConflict>> {
        let Content::File { format: FileFormat::Nifti, file, .. } = &self.content else { return Ok(None) };
        let read = || nifti::form_conflict(&self.path, from_start(file)?, self.form);
        read().map_err(|problem| problem.at(&self.path))
    }

    /// Whether the header says where the image lies and where its axes point. A NIfTI header with neither qform nor sform
    /// does not; its axes are then taken as those of the patient, as ITK does it.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the header is malformed.
    pub fn is_placed(&self) -> Result<bool> {
        let Content::File { format: FileFormat::Nifti, file, .. } = &self.content else { return Ok(true) };
        let read = || nifti::is_placed(&self.path, from_start(file)?);
        read().map_err(|problem| problem.at(&self.path))
    }

    /// The segments that the header of an NRRD file names, as 3D Slicer writes it (`.seg.nrrd`); none of other files.
    /// [`crate::mask::MaskParams::region`] chooses one of them.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when the header is malformed.
    pub fn segments(&self) -> Result<Vec<NamedSegment>> {
        let Content::File { format: FileFormat::Nrrd, file, .. } = &self.content else { return Ok(Vec::new()) };
        from_start(file).and_then(|file| nrrd::segments(&file)).map_err(|problem| problem.at(&self.path))
    }

    /// Reads a layer of a segmentation: a component, where there are several.
    pub(crate) fn read_layer(self, layer: usize) -> Result<Image> {
        self.read_part(Part { volume: Some(layer + 1), ..Part::default() })
    }

    /// Reads the image. A DICOM folder or file has to hold one series of one phase; see [`Source::dicom_folder`].
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] with the path and what is wrong there.
    pub fn read_image(self) -> Result<Image> {
        self.read_part(Part::default())
    }

    /// Reads an image, with the component `channel`, from 0, where its voxels have several.
    ///
    /// # Errors
    /// As [`Source::read_image`], and when the file has fewer components.
    pub fn read_channel(self, channel: Option<usize>) -> Result<Image> {
        self.read_part(Part { channel, ..Part::default() })
    }

    /// Reads one volume, counted from 1, of a file of four dimensions; of a DICOM series, the volume of that number.
    ///
    /// # Errors
    /// As [`Source::read_image`], and when the file has fewer volumes.
    pub fn read_volume(self, number: usize) -> Result<Image> {
        self.read_part(Part { volume: Some(number), ..Part::default() })
    }

    /// Reads all volumes of a file of four dimensions in one pass, or all components of its voxels; of a DICOM series
    /// all its volumes. All are held in memory together, and while they are read up to twice as much is.
    ///
    /// # Errors
    /// As [`Source::read_image`].
    ///
    /// ```
    /// use alnm_imaging::file::{Source, write_volumes};
    /// use alnm_imaging::{Geometry, Image, Volume};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("series.nii.gz");
    /// let grid = Geometry::axis_aligned([4, 4, 2], [1.0; 3])?;
    /// let phases = [1_u8, 2, 3].map(|value| Image::U8(Volume::filled(grid.clone(), value)));
    /// write_volumes(&path, &phases, 60.0)?;
    /// assert_eq!(Source::open(&path)?.read_volumes()?, phases);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_volumes(self) -> Result<Vec<Image>> {
        if self.format() == FileFormat::Dicom {
            return self.read_dicom_volumes();
        }
        let (path, grid) = (self.path.clone(), self.try_clone()?.read_header()?.geometry);
        let stack = self.read_part(Part { every_volume: true, ..Part::default() })?;
        unstacked(stack, &grid).map_err(|problem| problem.at(path))
    }

    fn read_part(self, part: Part) -> Result<Image> {
        if self.format() == FileFormat::Dicom {
            return self.read_dicom(part.volume);
        }
        let Self { path, content, form } = self;
        let Content::File { format, mut file, .. } = content else { return Err(no_dicom().at(path)) };
        let read = || {
            file.rewind()?;
            match format {
                FileFormat::Nrrd => nrrd::read(&path, file, part),
                FileFormat::Nifti => nifti::read(&path, file, Part { form, ..part }),
                FileFormat::MetaImage => metaimage::read(&path, file, part),
                FileFormat::Dicom => Err(no_dicom()),
            }
        };
        read().map_err(|problem: FileProblem| problem.at(&path))
    }

    /// Reads the grid of the image without its voxels: from the header of a NIfTI, NRRD or MetaImage file, or from the
    /// slices of a DICOM folder or file that holds one series.
    ///
    /// # Errors
    /// As [`Source::read_image`], but for what is wrong with the voxels alone.
    pub fn read_geometry(self) -> Result<Geometry> {
        if self.format() == FileFormat::Dicom {
            return self.read_dicom_geometry();
        }
        self.read_header().map(|header| header.geometry)
    }

    /// Reads what the header of a NIfTI, NRRD or MetaImage file says, without its voxels. A DICOM folder or file has
    /// its own description: [`Source::dicom_folder`].
    ///
    /// # Errors
    /// As [`Source::read_image`], but for what is wrong with the voxels alone; and for DICOM.
    pub fn read_header(self) -> Result<ImageHeader> {
        let Self { path, content, form } = self;
        let Content::File { format, mut file, .. } = content else { return Err(no_single_header().at(path)) };
        let read = || {
            file.rewind()?;
            match format {
                FileFormat::Nrrd => nrrd::read_header(file),
                FileFormat::Nifti => nifti::read_header(&path, file, form),
                FileFormat::MetaImage => metaimage::read_header(file),
                FileFormat::Dicom => Err(no_single_header()),
            }
        };
        read().map_err(|problem: FileProblem| problem.at(&path))
    }

    /// Reads what the header of a NIfTI, NRRD or MetaImage file says in the words of its format, also where its voxels
    /// cannot be read; of an ANALYZE 7.5 header, which has no orientation, type and size.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when there is no header, and for DICOM.
    ///
    /// ```
    /// use alnm_imaging::file::Source;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("colours.mha");
    /// let header = "ObjectType = Image\nNDims = 2\nDimSize = 2 1\nElementType = MET_UCHAR\nElementNumberOfChannels = 3\n";
    /// std::fs::write(&path, format!("{header}ElementDataFile = LOCAL\nrgbrgb"))?;
    /// let outline = Source::open(&path)?.read_outline()?;
    /// assert_eq!((outline.components, outline.sizes), (3, vec![2, 1]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_outline(self) -> Result<HeaderOutline> {
        let Self { path, content, .. } = self;
        let Content::File { format, mut file, .. } = content else { return Err(no_single_header().at(path)) };
        let read = || {
            file.rewind()?;
            match format {
                FileFormat::Nrrd => nrrd::read_outline(file),
                FileFormat::Nifti => nifti::read_outline(&path, file),
                FileFormat::MetaImage => metaimage::read_outline(file),
                FileFormat::Dicom => Err(no_single_header()),
            }
        };
        read().map_err(|problem: FileProblem| problem.at(&path))
    }

    #[cfg(not(feature = "dicom"))]
    fn read_dicom_geometry(self) -> Result<Geometry> {
        Err(no_dicom().at(self.path))
    }

    #[cfg(feature = "dicom")]
    fn read_dicom_geometry(self) -> Result<Geometry> {
        self.dicom_folder().and_then(|folder| folder.only_series()?.geometry().cloned())
    }

    #[cfg(not(feature = "dicom"))]
    fn read_dicom(self, _: Option<usize>) -> Result<Image> {
        Err(no_dicom().at(self.path))
    }

    #[cfg(not(feature = "dicom"))]
    fn read_dicom_volumes(self) -> Result<Vec<Image>> {
        Err(no_dicom().at(self.path))
    }

    #[cfg(feature = "dicom")]
    fn read_dicom_volumes(self) -> Result<Vec<Image>> {
        let folder = self.dicom_folder()?;
        let series = folder.only_series()?;
        (1..=series.volumes()?.len()).map(|number| series.volume(number)).collect()
    }

    #[cfg(feature = "dicom")]
    fn read_dicom(self, volume: Option<usize>) -> Result<Image> {
        let (is_file, path) = (!self.is_folder(), self.path.clone());
        let image = self.dicom_folder().and_then(|folder| {
            let series = folder.only_series()?;
            volume.map_or_else(|| series.image(), |number| series.volume(number))
        });
        image.map_err(|error| if is_file { FileProblem::from(error).at(path) } else { error })
    }

    /// The series and masks of a DICOM folder, or of a single DICOM file.
    ///
    /// # Errors
    /// [`crate::ImagingError::File`] when a file cannot be read, or there is no DICOM file.
    #[cfg(feature = "dicom")]
    pub fn dicom_folder(self) -> Result<dicom::DicomFolder> {
        match self.content {
            Content::Folder => dicom::DicomFolder::scan(self.path),
            Content::File { file, start, .. } => {
                let opened = dicom::stored_file::parse_opened(&self.path, file, &start);
                dicom::DicomFolder::of_opened(&self.path, opened.map_err(|problem| problem.at(&self.path))?)
            }
        }
    }
}

/// An open file from its start, without a second opening.
fn from_start(file: &File) -> Result<File, FileProblem> {
    let mut again = file.try_clone()?;
    again.rewind()?;
    Ok(again)
}

impl Content {
    fn of_file(path: &Path) -> Result<Self, FileProblem> {
        Self::of_opened(path, File::open(path)?)
    }

    fn of_opened(path: &Path, mut file: File) -> Result<Self, FileProblem> {
        let mut start = Vec::new();
        file.by_ref().take(Source::START).read_to_end(&mut start)?;
        let format = if has_preamble(&start) {
            // Before all others: the preamble of a DICOM file is free for the signature of another format.
            FileFormat::Dicom
        } else if nrrd::is_nrrd(&start) {
            FileFormat::Nrrd
        } else if nifti::is_nifti(path, &start, &mut file)? {
            FileFormat::Nifti
        } else if is_dicom(&start) {
            FileFormat::Dicom
        } else if metaimage::is_metaimage(&start) {
            FileFormat::MetaImage
        } else {
            start.truncate(16);
            return Err(FileProblem::UnknownFormat { first_bytes: start });
        };
        Ok(Self::File {
            format,
            file,
            #[cfg(feature = "dicom")]
            start,
        })
    }
}

/// Whether these first bytes are those of a DICOM file with a preamble.
fn has_preamble(start: &[u8]) -> bool {
    start.get(128..132) == Some(b"DICM")
}

#[cfg(not(feature = "dicom"))]
fn is_dicom(start: &[u8]) -> bool {
    has_preamble(start)
}

/// DICOM where one header is asked for.
fn no_single_header() -> FileProblem {
    FileProblem::unsupported(FileFormat::Dicom, "each DICOM slice has a header of its own; read the series")
}

/// A DICOM file or folder where none can be read.
fn no_dicom() -> FileProblem {
    FileProblem::unsupported(
        FileFormat::Dicom,
        "this program was built without the feature `dicom` of alnm-imaging; convert the images to NIfTI or NRRD",
    )
}

/// Writes an image in the format that the name's suffix names: `.nrrd`, `.nhdr`, `.nii`, `.nii.gz`,
/// `.hdr`, `.img`, `.mha` or `.mhd`.
///
/// The pixel type is kept. NRRD, MetaImage and `.nii.gz` are compressed. NIfTI stores the geometry in single precision.
/// Files that are there are replaced once the new ones are complete ([`AtomicFile`]), a header after its voxels.
///
/// # Errors
/// [`crate::ImagingError::File`] when the suffix is unknown or the file cannot be written.
pub fn write_image(path: impl AsRef<Path>, image: &Image) -> Result<()> {
    let path = path.as_ref();
    replace(path, image.into()).map_err(|problem| problem.at(path))
}

/// Writes volumes of one type and grid into one file of four dimensions, `step` seconds apart, in the formats of
/// [`write_image`]. A step that is not above 0 is not known and written as 1.
///
/// # Errors
/// As [`write_image`], and when the volumes differ in type or grid (tolerance a thousandth of the spacing), are
/// two-dimensional, or there is none.
///
/// ```
/// use alnm_imaging::file::{Source, write_volumes};
/// use alnm_imaging::{Geometry, Volume};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("dynamic.nii.gz");
/// let grid = Geometry::axis_aligned([4, 4, 2], [1.0; 3])?;
/// let phases = [100_i16, 180, 240].map(|signal| Volume::filled(grid.clone(), signal).into());
/// write_volumes(&path, &phases, 60.0)?;
/// assert_eq!(Source::open(&path)?.read_volume(2)?, phases[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_volumes(path: impl AsRef<Path>, images: &[Image], step: f64) -> Result<()> {
    let path = path.as_ref();
    let write = || {
        let voxels = stacked(images)?;
        let step = if step.is_finite() && step > 0.0 { step } else { 1.0 };
        let series = Some(WrittenSeries { volumes: images.len(), step });
        replace(path, Written { voxels: &voxels, geometry: images[0].geometry(), series })
    };
    write().map_err(|problem: FileProblem| problem.at(path))
}

fn replace(path: &Path, image: Written<'_>) -> Result<(), FileProblem> {
    let files = match suffix_format(path).ok_or(FileProblem::UnknownSuffix)? {
        FileFormat::Nrrd => nrrd::write(path, image)?,
        FileFormat::MetaImage => metaimage::write(path, image)?,
        _ => nifti::write(path, image)?,
    };
    for file in files {
        file.commit_without_folder()?;
    }
    Ok(sync_folder(folder_of(path))?)
}

/// The files that [`write_image`] makes for a name: one, or a header and the file of its voxels.
///
/// # Errors
/// [`crate::ImagingError::File`] when the suffix is unknown.
pub fn written_files(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    suffix_format(path).map(|_| files_of(path)).ok_or_else(|| FileProblem::UnknownSuffix.at(path))
}

/// A header before its voxels. Of a NIfTI pair either name says both.
fn files_of(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem_before = |suffix: &str| {
        let length = name.len().checked_sub(suffix.len()).filter(|&length| name.is_char_boundary(length))?;
        name[length..].eq_ignore_ascii_case(suffix).then(|| &name[..length])
    };
    for (suffix, header, voxels) in [
        (".hdr", ".hdr", ".img"),
        (".img", ".hdr", ".img"),
        (".hdr.gz", ".hdr.gz", ".img.gz"),
        (".img.gz", ".hdr.gz", ".img.gz"),
    ] {
        if let Some(stem) = stem_before(suffix) {
            return [header, voxels].map(|suffix| path.with_file_name(format!("{stem}{suffix}"))).to_vec();
        }
    }
    for (header, voxels) in [(".nhdr", ".raw.gz"), (".mhd", ".zraw")] {
        if let Some(stem) = stem_before(header) {
            return vec![path.to_owned(), path.with_file_name(format!("{stem}{voxels}"))];
        }
    }
    vec![path.to_owned()]
}

/// The format that a name's suffix says.
fn suffix_format(path: &Path) -> Option<FileFormat> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let formats: [(FileFormat, &[&str]); 3] = [
        (FileFormat::Nrrd, &[".nrrd", ".nhdr"]),
        (FileFormat::MetaImage, &[".mha", ".mhd"]),
        (FileFormat::Nifti, &[".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"]),
    ];
    formats
        .into_iter()
        .find(|(_, suffixes)| suffixes.iter().any(|suffix| name.ends_with(suffix)))
        .map(|(format, _)| format)
}

/// Writes a mask as [`write_image`] does, with the smallest unsigned voxel type that holds its labels.
///
/// # Errors
/// As [`write_image`].
///
/// ```
/// use alnm_imaging::{Geometry, PixelType, Volume, read_image, read_mask, write_mask};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("mask.nii.gz");
/// let mask = Volume::filled(Geometry::axis_aligned([4, 4, 2], [1.0; 3])?, 300_u32);
/// write_mask(&path, &mask)?;
/// assert_eq!(read_image(&path)?.pixel_type(), PixelType::U16);
/// assert_eq!(read_mask(&path)?, mask);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_mask(path: impl AsRef<Path>, mask: &LabelMap) -> Result<()> {
    let image = match mask.as_slice().iter().max() {
        Some(0..=0xff) => u8::into_image(mask.cast()),
        Some(0x100..=0xffff) => u16::into_image(mask.cast()),
        _ => u32::into_image(mask.clone()),
    };
    write_image(path, &image)
}
