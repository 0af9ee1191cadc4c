//! `alnm extract`: radiomic features on files, with PyRadiomics' command line.

mod cases;
mod log;
#[cfg(feature = "parquet")]
mod parquet_table;
mod profile;
mod table;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use alnm_imaging::file::Source;
use alnm_imaging::mask::MaskParams;
use alnm_imaging::{FileFormat, Image, LabelMap, read_image, region, write_image};
use alnm_radiomics::Parameters;
use alnm_radiomics::parameters::SettingValue;
use alnm_radiomics::{Extractor, Warning};
use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueEnum};
use rayon::prelude::*;

use cases::{Case, Labels, Shard};
use log::{Level, Log};
use profile::{Engine, Profile};
use table::{Cell, Format, Row};

/// The input could not be made sense of.
const BAD_INPUT: u8 = 1;
/// The extraction as a whole failed.
const FAILED: u8 = 3;
/// Ctrl-C. PyRadiomics exits with -1, of which the shell sees the lowest byte.
const INTERRUPTED: i32 = 255;

/// Extract radiomic features from an image and a mask, or from all cases of a CSV file.
#[derive(Debug, Args)]
pub(crate) struct ExtractArgs {
    /// Image file or folder of a DICOM series, or a CSV file with columns Image and Mask (and, where needed, Label and
    /// Label_channel; other columns are copied to the output). Paths in it are relative to its folder.
    #[arg(value_name = "IMAGE|BATCH.csv")]
    input: PathBuf,
    /// Mask file; needed unless the input is a CSV file.
    mask: Option<PathBuf>,
    /// Parameter file of PyRadiomics, or with `--profile ibsi` of the IBSI profile; YAML or JSON.
    #[arg(short, long, value_name = "FILE")]
    param: Option<PathBuf>,
    /// Whose definitions are followed: PyRadiomics' or those of the Image Biomarker Standardisation Initiative (without
    /// a parameter file: 32 grey levels on the image's own grid).
    #[arg(long, value_enum, default_value_t = Profile::Pyradiomics)]
    profile: Profile,
    /// A setting that overrides the parameter file, such as binWidth:10; lists are separated by commas.
    #[arg(short, long, value_name = "NAME:VALUE")]
    setting: Vec<String>,
    /// Threads to use; all by default.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Only check the parameter file and that the files of all cases exist.
    #[arg(long)]
    validate: bool,
    /// File to append the output to, instead of writing it to the terminal.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Folder for one CSV file a case (cases whose file is already there are not computed again), and for feature maps.
    #[arg(long, visible_alias = "od", value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Features of the region, or maps with a value for each of its voxels.
    #[arg(short, long, value_enum, default_value_t = Mode::Segment)]
    mode: Mode,
    /// Leave out features that are not defined (NaN).
    #[arg(long)]
    skip_nans: bool,
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = Format::Txt)]
    format: Format,
    /// How the paths of image and mask are written.
    #[arg(long, value_enum, default_value_t = PathFormat::Absolute)]
    format_path: PathFormat,
    /// Write paths with forward slashes.
    #[arg(long, visible_alias = "up")]
    unix_path: bool,
    /// Least severe messages that go into the log file.
    #[arg(long, value_enum, default_value_t = Level::Warning, ignore_case = true)]
    logging_level: Level,
    /// File to append messages to.
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// How much is reported on the terminal: 1 critical errors, 2 errors, 3 warnings, 4 progress, 5 everything.
    #[arg(short, long, value_name = "1-5", default_value_t = 3, num_args = 0..=1, default_missing_value = "4", value_parser = clap::value_parser!(u8).range(1..=5))]
    verbosity: u8,
    /// Label of the region in the mask, where the CSV file has no column for it.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    label: Option<u32>,
    /// Name of the region in DICOM structure sets and segmentations; where they have only one it need not be named.
    #[arg(long, value_name = "NAME", conflicts_with = "labels")]
    roi: Option<String>,
    /// Regions to extract from each mask: all labels, some of them (1,2), or the union of all. Each gives a row of its
    /// own.
    #[arg(long, value_name = "all|N,N|union", conflicts_with = "label")]
    labels: Option<Labels>,
    /// Only this part of the cases, for arrays of jobs: 1/8 to 8/8. The parts' numbers of cases stay those of the
    /// whole.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

/// What is extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Segment,
    Voxel,
}

/// How paths are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PathFormat {
    Absolute,
    Relative,
    Basename,
}

/// PyRadiomics has options of two letters after one dash, which stand for these.
pub(crate) fn with_long_names(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments.map(|argument| match argument.to_str() {
        Some("-od") => "--out-dir".into(),
        Some("-up") => "--unix-path".into(),
        _ => argument,
    })
}

/// Runs the command and returns PyRadiomics' exit code: 0 also when single cases failed, 1 for input that makes no
/// sense, 3 when the extraction as a whole failed, 255 when it was interrupted.
pub(crate) fn run(arguments: &ExtractArgs) -> ExitCode {
    // Cases that are done lie complete in --out-dir. Without a handler Ctrl-C ends the process too, with the system's
    // code.
    let _ = ctrlc::set_handler(|| std::process::exit(INTERRUPTED));
    let log = match Log::new(arguments.verbosity, arguments.log_file.as_deref(), arguments.logging_level) {
        Ok(log) => log,
        Err(error) => {
            // Without a log there is only the terminal; a failure to write there cannot be reported.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            return ExitCode::from(FAILED);
        }
    };
    let cases = match cases::read(arguments, &log) {
        Ok(cases) => cases,
        Err(error) => {
            log.error(crate::reasons(&error));
            return ExitCode::from(BAD_INPUT);
        }
    };
    let outcome = if arguments.validate { validate(arguments, &cases, &log) } else { extract(arguments, &cases, &log) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.error(crate::reasons(&error));
            ExitCode::from(FAILED)
        }
    }
}

/// Checks the parameters and that the files of all cases exist.
fn validate(arguments: &ExtractArgs, cases: &[Case], log: &Log) -> Result<()> {
    if let Err(error) = Engine::new(arguments, log) {
        log.error(crate::reasons(&error));
    }
    let mut failed = 0;
    for case in cases {
        let missing: Vec<&Path> =
            [&case.image, &case.mask].into_iter().filter(|path| !path.exists()).map(PathBuf::as_path).collect();
        for path in &missing {
            log.error(format_args!("case {}: {} does not exist", case.number, path.display()));
        }
        failed += usize::from(!missing.is_empty());
    }
    log.info(format_args!("{} cases checked, {failed} with errors", cases.len()));
    Ok(())
}

/// The parameter file with the overrides of the command line.
fn parameters(arguments: &ExtractArgs, log: &Log) -> Result<Parameters> {
    let mut parameters = match &arguments.param {
        Some(path) => Parameters::from_file(path)?,
        None => Parameters::default(),
    };
    for setting in &arguments.setting {
        if let Err(reason) = override_setting(&mut parameters, setting) {
            log.warning(format_args!("--setting {setting} is left out: {}", crate::reasons(&reason)));
        }
    }
    if let Some(label) = arguments.label {
        parameters.set("label", SettingValue::Integer(i64::from(label)))?;
    }
    Ok(parameters)
}

/// Sets `NAME:VALUE`, the value being taken for whatever the setting wants.
fn override_setting(parameters: &mut Parameters, setting: &str) -> Result<()> {
    let (name, value) = setting.split_once(':').context("it has to be NAME:VALUE")?;
    let value = value.trim();
    let numbers: Option<Vec<SettingValue>> =
        value.split(',').map(|item| item.trim().parse().ok().map(SettingValue::Float)).collect();
    let integers: Option<Vec<SettingValue>> =
        value.split(',').map(|item| item.trim().parse().ok().map(SettingValue::Integer)).collect();
    let readings = [
        value.parse().ok().map(SettingValue::Integer),
        value.parse().ok().map(SettingValue::Float),
        Some(SettingValue::Bool(value == "1" || value.eq_ignore_ascii_case("true"))),
        numbers.map(SettingValue::List),
        integers.map(SettingValue::List),
        Some(SettingValue::Text(value.to_owned())),
    ];
    let mut refused = anyhow!("it has no value");
    for reading in readings.into_iter().flatten() {
        match parameters.set(name.trim(), reading) {
            Ok(()) => return Ok(()),
            Err(error) => refused = error.into(),
        }
    }
    Err(refused)
}

/// Extracts all cases and writes the table.
fn extract(arguments: &ExtractArgs, cases: &[Case], log: &Log) -> Result<()> {
    let engine = Engine::new(arguments, log)?;
    if let Some(folder) = &arguments.out_dir {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    let threads = rayon::ThreadPoolBuilder::new().num_threads(arguments.jobs.map_or(0, usize::from)).build()?;
    let outcomes: Vec<Outcome> =
        threads.install(|| cases.par_iter().map(|case| extract_case(arguments, &engine, case, log)).collect());
    let rows: Vec<(usize, Row)> = outcomes.iter().flat_map(|outcome| outcome.rows.iter().cloned()).collect();
    write_table(arguments, &rows, &expected_columns(arguments, &engine, &rows))?;
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.failure.is_some()).collect();
    if !failed.is_empty() {
        log.warning(format_args!("{} of {} cases failed:", failed.len(), cases.len()));
        for outcome in failed {
            log.warning(format_args!("  case {}: {}", outcome.number, outcome.failure.as_deref().unwrap_or_default()));
        }
    }
    Ok(())
}

/// The columns that the table has whatever became of its cases. Where undefined features are left out, so are their
/// columns.
fn expected_columns(arguments: &ExtractArgs, engine: &Engine, rows: &[(usize, Row)]) -> Vec<String> {
    if arguments.mode == Mode::Voxel || arguments.skip_nans {
        return Vec::new();
    }
    let planar =
        |(name, cell): &(String, Cell)| name == "diagnostics_Image-original_Dimensionality" && cell.text() == "2D";
    let dimension = if rows.iter().any(|(_, row)| row.iter().any(planar)) { 2 } else { 3 };
    engine.columns(dimension).unwrap_or_else(|| {
        let with_features = rows.iter().find(|(_, row)| row.iter().any(|(_, cell)| matches!(cell, Cell::Number(_))));
        with_features.map(|(_, row)| row.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default()
    })
}

fn write_table(arguments: &ExtractArgs, rows: &[(usize, Row)], expected: &[String]) -> Result<()> {
    let formatted: Vec<(usize, Row)> =
        rows.iter().map(|(number, row)| (*number, formatted_row(arguments, row))).collect();
    match &arguments.out {
        #[cfg(feature = "parquet")]
        Some(path) if arguments.format == Format::Parquet => parquet_table::write(path, &formatted, expected),
        Some(path) => {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .with_context(|| format!("cannot open {}", path.display()))?;
            table::write(std::io::BufWriter::new(file), arguments.format, &formatted, expected)
        }
        None => table::write(std::io::stdout().lock(), arguments.format, &formatted, expected),
    }
}

/// The row as it is written: with paths in the form asked for, and without undefined features where they are not
/// wanted.
fn formatted_row(arguments: &ExtractArgs, row: &Row) -> Row {
    let kept = row.iter().filter(|(_, cell)| !(arguments.skip_nans && cell.is_nan()));
    let formatted = kept.map(|(name, cell)| match cell {
        Cell::Text(path) if name == "Image" || name == "Mask" => {
            (name.clone(), Cell::Text(formatted_path(arguments, path)))
        }
        _ => (name.clone(), cell.clone()),
    });
    formatted.collect()
}

fn formatted_path(arguments: &ExtractArgs, path: &str) -> String {
    let path = Path::new(path);
    let formatted = match arguments.format_path {
        PathFormat::Absolute => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        PathFormat::Relative => relative_to(path, &cases::base_folder(arguments)),
        PathFormat::Basename => path.file_name().map_or_else(|| path.to_owned(), PathBuf::from),
    };
    let text = formatted.to_string_lossy().into_owned();
    if arguments.unix_path { text.replace('\\', "/") } else { text }
}

/// The way from a folder to a path; the path itself where there is none.
fn relative_to(path: &Path, folder: &Path) -> PathBuf {
    let (Ok(path), Ok(folder)) = (std::path::absolute(path), std::path::absolute(folder)) else {
        return path.to_owned();
    };
    let shared = path.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| PathBuf::from(".."));
    up.chain(path.components().skip(shared).map(|part| PathBuf::from(part.as_os_str()))).collect()
}

/// What became of a case.
struct Outcome {
    number: usize,
    /// Rows with the number of their case; one, or with `--labels` one for each region.
    rows: Vec<(usize, Row)>,
    failure: Option<String>,
}

/// Extracts a case. One that fails keeps its input columns.
fn extract_case(arguments: &ExtractArgs, engine: &Engine, case: &Case, log: &Log) -> Outcome {
    let number = case.number;
    let stored = arguments.out_dir.as_ref().filter(|_| arguments.mode == Mode::Segment);
    let stored = stored.map(|folder| folder.join(format!("features_{number}.csv")));
    if let Some(file) = stored.as_deref().filter(|file| file.is_file()) {
        match table::read(file, &case.columns) {
            Ok(rows) => {
                log.info(format_args!("case {number}: already computed"));
                return Outcome { number, rows: rows.into_iter().map(|row| (number, row)).collect(), failure: None };
            }
            Err(error) => log.warning(format_args!("case {number}: {}; it is computed again", crate::reasons(&error))),
        }
    }
    let regions = match regions(arguments, engine, case) {
        Ok(regions) => regions,
        Err(error) => return failed(case, vec![(number, case.columns.clone())], &error, log),
    };
    let mut rows = Vec::new();
    let mut failure = None;
    for region in regions {
        let columns = region.columns(case);
        let computed = engine.features(arguments, number, region, log).unwrap_or_else(|error| {
            failure.get_or_insert(error);
            Vec::new()
        });
        rows.push((number, columns.into_iter().chain(computed).collect()));
    }
    // A case that failed is not stored, so that it is tried again.
    let stored = match (&stored, &failure) {
        (Some(file), None) => store(file, &rows),
        _ => Ok(()),
    };
    match failure.map_or(stored, Err) {
        Ok(()) => {
            log.info(format_args!("case {number}: done"));
            Outcome { number, rows, failure: None }
        }
        Err(error) => failed(case, rows, &error, log),
    }
}

/// The outcome of a case that failed; what there is of its rows is kept.
fn failed(case: &Case, rows: Vec<(usize, Row)>, error: &anyhow::Error, log: &Log) -> Outcome {
    let failure = crate::reasons(error);
    log.error(format_args!("case {}: {failure}", case.number));
    Outcome { number: case.number, rows, failure: Some(failure) }
}

/// Writes the rows of a case so that the file is either whole or not there.
fn store(file: &Path, rows: &[(usize, Row)]) -> Result<()> {
    let unfinished = file.with_extension("csv.part");
    let stream = File::create(&unfinished).with_context(|| format!("cannot create {}", unfinished.display()))?;
    table::write(std::io::BufWriter::new(stream), Format::Csv, rows, &[])?;
    std::fs::rename(&unfinished, file).with_context(|| format!("cannot write {}", file.display()))
}

/// A region of a case.
struct Region {
    image: Image,
    mask: LabelMap,
    label: u32,
    /// What stands in the column Label, where `--labels` makes several rows of a case.
    named: Option<String>,
}

impl Region {
    /// The input columns of the region's row.
    fn columns(&self, case: &Case) -> Row {
        let mut columns = case.columns.clone();
        if let Some(label) = &self.named {
            columns.retain(|(name, _)| name != "Label");
            columns.push(("Label".to_owned(), Cell::Text(label.clone())));
        }
        columns
    }
}

/// Reads a case and finds its regions.
fn regions(arguments: &ExtractArgs, engine: &Engine, case: &Case) -> Result<Vec<Region>> {
    let image = read_image(&case.image)?;
    let mask = read_mask(arguments, engine, case, &image)?;
    let single = |label| vec![Region { image: image.clone(), mask: mask.clone(), label, named: None }];
    Ok(match &arguments.labels {
        None => single(case.label.unwrap_or_else(|| engine.label(arguments))),
        Some(Labels::Union) => {
            let union = mask.map(|&voxel| u32::from(voxel != 0));
            vec![Region { image, mask: union, label: 1, named: Some("union".to_owned()) }]
        }
        Some(labels) => {
            let wanted = match labels {
                Labels::Some(labels) => labels.clone(),
                _ => region::labels(&mask, usize::MAX),
            };
            let named =
                |label: u32| Region { image: image.clone(), mask: mask.clone(), label, named: Some(label.to_string()) };
            wanted.into_iter().map(named).collect()
        }
    })
}

/// The mask of a case. Contours and segments are brought onto the image's grid; a label map keeps its own, which the
/// extraction checks.
fn read_mask(arguments: &ExtractArgs, engine: &Engine, case: &Case, image: &Image) -> Result<LabelMap> {
    let mut params = MaskParams::default();
    params.region = arguments.roi.as_deref().map(Into::into);
    let source = Source::open(&case.mask)?;
    if source.format() == FileFormat::Dicom {
        params.grid = Some(image.geometry().clone());
    } else {
        params.channel = Some(case.label_channel.unwrap_or_else(|| engine.label_channel()));
    }
    Ok(params.check()?.read_source(source)?)
}

/// Diagnostics and features, or the files of a region's maps.
fn pyradiomics_features(
    arguments: &ExtractArgs,
    extractor: &Extractor,
    number: usize,
    region: Region,
    log: &Log,
) -> Result<Row> {
    let mut row = Row::new();
    let warn = |warnings: &[Warning]| {
        for warning in warnings {
            log.warning(format_args!("case {number}: {warning}"));
        }
    };
    if arguments.mode == Mode::Segment {
        let extraction = extractor.execute(&region.image, &region.mask, region.label)?;
        warn(&extraction.warnings);
        row.extend(extraction.diagnostics.into_iter().map(|entry| (entry.name, Cell::Diagnostic(entry.value))));
        row.extend(extraction.features.into_iter().map(|feature| (feature.id.name(), Cell::Number(feature.value))));
        return Ok(row);
    }
    let extraction = extractor.execute_voxel_based(&region.image, &region.mask, region.label)?;
    warn(&extraction.warnings);
    row.extend(extraction.diagnostics.into_iter().map(|entry| (entry.name, Cell::Diagnostic(entry.value))));
    let folder = arguments.out_dir.clone().unwrap_or_default();
    let region = region.named.map_or_else(String::new, |label| format!("_{label}"));
    for feature in extraction.maps {
        let name = feature.id.name();
        let file = folder.join(format!("Case-{number}{region}_{name}.nrrd"));
        write_image(&file, &Image::F64(feature.map))?;
        row.push((name, Cell::Text(file.to_string_lossy().into_owned())));
    }
    Ok(row)
}
