//! `alnm kinetics`: what contrast agent does in each voxel of a dynamic series.

use std::path::{Path, PathBuf};

use alnm_imaging::dicom::DynamicSeries;
use alnm_imaging::kinetics::tofts::{
    InputFunction, ParkerParams, SignalModelParams, T1, ToftsMaps, ToftsModel, ToftsParams,
};
use alnm_imaging::kinetics::{
    KineticMap, KineticMaps, PeakChoice, RegionCurve, RegionKinetics, TimeOrigin, VoxelKinetics, VoxelKineticsParams,
};
use alnm_imaging::region::{Roi, labels};
use alnm_imaging::{Image, LabelMap, Volume, write_image};
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, DataTable};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rayon::prelude::*;

use crate::dynamic::{ChosenSeries, DynamicInput};
use crate::exit::{require, wrong_use, wrong_value};
use crate::input::{MaskChoice, read_image};
use crate::interrupt;
use crate::messages::inform;
use crate::options::milliseconds;
use crate::output::{Activity, Overwriting, in_folder, refuse_stream, warn, write_file};
use crate::progress::Counted;
use crate::separators::{SeparatedRow, SeparatedTable, read_table_text, table};

/// The maps that are written where none are named.
const USUAL_MAPS: [KineticMap; 9] = [
    KineticMap::InitialEnhancement,
    KineticMap::PeakEnhancement,
    KineticMap::SignalEnhancementRatio,
    KineticMap::TimeToPeak,
    KineticMap::WashInSlope,
    KineticMap::WashoutSlope,
    KineticMap::AreaUnderCurve,
    KineticMap::BolusArrival,
    KineticMap::WashoutClass,
];

/// Most labels of a mask that get a row.
const MOST_LABELS: usize = 1000;

/// Map what contrast agent does in each voxel: enhancement, slopes, washout, arrival; with T1 the extended Tofts model.
///
/// Enhancement is S / S0 - 1, S0 being the mean of the baseline phases; times are seconds after the last of these. The
/// folder gets a map for each figure, and with a mask regions.csv (a row for each label: figures, functional tumour
/// volume, washout classes) and curves.csv (mean of each phase with its interval of 95 %).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm kinetics dce-folder --mask lesion.nii.gz -o maps
  alnm kinetics pre.nii.gz post1.nii.gz post2.nii.gz --times 0,100,460 --mask lesion.nii.gz -o maps
  alnm kinetics dce-folder --mask lesion.nii.gz --t1 1.4 --repetition-time 5 --flip-angle 12 --arrival 20 -o maps")]
pub(crate) struct Kinetics {
    #[command(flatten)]
    input: DynamicInput,
    /// Folder for maps and tables.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Mask: an image, or a DICOM segmentation or structure set; on another grid than the series the nearest voxel
    /// counts. Each label is a region. Maps are NaN outside of all of them.
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    #[command(flatten)]
    region: MaskChoice,
    /// Maps to write, by name, or all.
    #[arg(long, value_name = "all|NAME,...", value_delimiter = ',', num_args = 1)]
    maps: Vec<String>,
    /// Suffix of the maps' files.
    #[arg(long, value_enum, default_value_t = Suffix::NiiGz)]
    suffix: Suffix,
    /// Phases before contrast.
    #[arg(long, value_name = "N", default_value_t = 1)]
    baseline: usize,
    /// Seconds from the first phase from which times are counted, such as the injection; by default the last phase of
    /// the baseline.
    #[arg(long, value_name = "S")]
    origin: Option<f64>,
    /// The early phase is the one nearest to so many seconds.
    #[arg(long, value_name = "S", default_value_t = 150.0)]
    early: f64,
    /// The late phase is the one nearest to so many seconds; by default the last one.
    #[arg(long, value_name = "S")]
    late: Option<f64>,
    /// Seconds at which the area under the curve ends; by default the last phase.
    #[arg(long, value_name = "S")]
    area: Option<f64>,
    /// Which phase is the peak: the highest, or the first local peak above four fifths of it, as in pyCERR.
    #[arg(long, value_enum, default_value_t = Peak::Highest)]
    peak: Peak,
    /// Largest relative change of the signal from the early to the late phase of a plateau.
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    tolerance: f64,
    /// Least initial enhancement of voxels that have a washout class and count for the functional tumour volume.
    #[arg(long, value_name = "X", default_value_t = 0.7)]
    threshold: f64,
    /// Least signal enhancement ratio of voxels that count for the functional tumour volume.
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    least_ratio: f64,
    #[command(flatten)]
    tofts: ToftsOptions,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

/// What the Tofts model needs.
#[derive(Debug, clap::Args)]
struct ToftsOptions {
    /// T1 before contrast, in seconds or as a map of seconds: fits the Tofts model.
    #[arg(long, value_name = "S|FILE", requires_all = ["repetition_time", "flip_angle"])]
    t1: Option<String>,
    /// Repetition time in milliseconds.
    #[arg(long, value_name = "MS", value_parser = milliseconds, requires = "t1")]
    repetition_time: Option<f64>,
    /// Flip angle in degrees.
    #[arg(long, value_name = "DEGREES", requires = "t1")]
    flip_angle: Option<f64>,
    /// Relaxivity in L/(mmol s).
    #[arg(long, value_name = "X", default_value_t = 4.5, requires = "t1")]
    relaxivity: f64,
    /// Input function: a CSV file with the columns seconds (from the first phase) and plasma (mmol/L). By default the
    /// population's after Parker.
    #[arg(long, value_name = "FILE", requires = "t1", conflicts_with_all = ["arrival", "haematocrit"])]
    input_function: Option<PathBuf>,
    /// Seconds from the first phase to the arrival of contrast in the artery; by default those of the last phase of the
    /// baseline.
    #[arg(long, value_name = "S", requires = "t1")]
    arrival: Option<f64>,
    /// Haematocrit, for the population's input function.
    #[arg(long, value_name = "X", default_value_t = 0.42, requires = "t1")]
    haematocrit: f64,
    /// Fit the standard Tofts model, without a plasma volume in the tissue.
    #[arg(long, requires = "t1")]
    standard_tofts: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Suffix {
    #[value(name = "nii.gz")]
    NiiGz,
    Nrrd,
    Mha,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Peak {
    Highest,
    FirstLocal,
}

impl Kinetics {
    pub(crate) fn run(self) -> Result<()> {
        refuse_stream(&self.out, "maps and tables")?;
        self.overwriting.check_folder(&self.out)?;
        require(
            self.mask.is_some() || !self.region.region.is_any(),
            "--label, --roi and --roi-number choose a region of --mask; name the mask",
        )?;
        self.threads.start()?;
        let kinds = self.kinds()?;
        let kinetics = self.params().check().map_err(wrong_value)?;
        let activity = Activity::start("reading");
        let ChosenSeries { series, frame_of_reference } = self.input.read()?;
        let analysis = kinetics.for_times(series.times()).map_err(wrong_value)?;
        if analysis.early_phase() == analysis.late_phase() {
            warn(format_args!(
                "the early and the late phase are both phase {}: there is neither a ratio nor a washout class",
                analysis.early_phase() + 1
            ));
        }
        let grid = series.images()[0].geometry();
        let read_mask = |path: &Path| self.region.read_on(grid, frame_of_reference.as_deref(), path);
        let mask = self.mask.as_deref().map(read_mask).transpose()?;
        let whole = mask.as_ref().map(|mask| mask.map(|&label| u32::from(label != 0)));
        let region = whole.as_ref().map(|whole| Roi::new(whole, 1)).transpose();
        let region = region.with_context(|| self.mask.as_deref().unwrap_or(Path::new("")).display().to_string())?;
        let progress = Counted::start("rows of voxels", 0);
        let maps = kinetics.maps_with(&series, region, &kinds, &progress.observer())?;
        progress.finish();
        let tofts = self.tofts.maps(&series, region, self.baseline)?;
        activity.next("measuring the regions");
        let regions =
            mask.as_ref().map(|mask| RegionTables::of(&kinetics, &series, mask, tofts.as_ref())).transpose()?;
        activity.next("writing");
        interrupt::keeps(format!(
            "maps that are written are kept in {}; the same command replaces them with --force",
            self.out.display()
        ));
        in_folder(&self.out, || {
            self.write_maps(&maps, tofts.as_ref())?;
            if let Some(regions) = &regions {
                write_file(&self.out.join("regions.csv"), regions.figures.to_csv().as_bytes())?;
                write_file(&self.out.join("curves.csv"), regions.curves.to_csv().as_bytes())?;
            }
            Ok(())
        })?;
        activity.finish();
        if maps.undefined_voxels() > 0 {
            warn(format_args!(
                "{} voxels have no enhancement: a signal that is not finite, or a baseline of 0 or below; they are NaN",
                maps.undefined_voxels()
            ));
        }
        if let Some(tofts) = &tofts {
            inform(format_args!(
                "Tofts: {} voxels fitted, {} could not be, {} at an end of the range of k_ep",
                tofts.fitted_voxels, tofts.undefined_voxels, tofts.voxels_at_bound
            ));
        }
        inform(format_args!(
            "{} phases, early {} and late {}: {} maps in {}",
            series.phase_count(),
            analysis.early_phase() + 1,
            analysis.late_phase() + 1,
            kinds.len() + tofts.as_ref().map_or(0, |tofts| tofts.named().len()),
            self.out.display()
        ));
        Ok(())
    }

    fn params(&self) -> VoxelKineticsParams {
        VoxelKineticsParams::default()
            .with_baseline_phases(self.baseline)
            .with_origin(self.origin.map_or(TimeOrigin::LastBaseline, TimeOrigin::Seconds))
            .with_early_seconds(self.early)
            .with_late_seconds(self.late)
            .with_area_seconds(self.area)
            .with_peak(match self.peak {
                Peak::Highest => PeakChoice::Highest,
                Peak::FirstLocal => PeakChoice::FirstLocal,
            })
            .with_tolerance(self.tolerance)
            .with_enhancement_threshold(self.threshold)
            .with_ratio_threshold(self.least_ratio)
    }

    fn kinds(&self) -> Result<Vec<KineticMap>> {
        match self.maps.as_slice() {
            [] => Ok(USUAL_MAPS.to_vec()),
            [all] if all == "all" => Ok(KineticMap::ALL.to_vec()),
            names => {
                let known = || KineticMap::ALL.map(KineticMap::name).join(", ");
                let kinds: Vec<KineticMap> = names
                    .iter()
                    .map(|name| {
                        KineticMap::from_name(name)
                            .map_err(|_| wrong_use(format!("--maps {name} is unknown; there are {}", known())))
                    })
                    .collect::<Result<_>>()?;
                let is_twice = kinds.iter().enumerate().any(|(place, kind)| kinds[..place].contains(kind));
                require(!is_twice, "--maps names a map twice")?;
                Ok(kinds)
            }
        }
    }

    /// Writes the maps at the same time.
    fn write_maps(&self, maps: &KineticMaps, tofts: Option<&ToftsMaps>) -> Result<()> {
        let image = |kind: KineticMap, map: &Volume<f32>| match kind {
            KineticMap::WashoutClass => Image::U8(map.cast()),
            _ => Image::F32(map.clone()),
        };
        let mut files: Vec<(&str, Image)> = maps.iter().map(|(kind, map)| (kind.name(), image(kind, map))).collect();
        let of_tofts = tofts.map(ToftsMaps::named).into_iter().flatten();
        files.extend(of_tofts.map(|(name, map)| (name, Image::F32(map.clone()))));
        let suffix = match self.suffix {
            Suffix::NiiGz => "nii.gz",
            Suffix::Nrrd => "nrrd",
            Suffix::Mha => "mha",
        };
        files.par_iter().try_for_each(|(name, image)| {
            let _whole = interrupt::while_writing();
            Ok(write_image(self.out.join(format!("{name}.{suffix}")), image)?)
        })
    }
}

impl ToftsOptions {
    /// Maps of the Tofts model, where a T1 is given.
    fn maps(&self, series: &DynamicSeries, region: Option<Roi<'_>>, baseline: usize) -> Result<Option<ToftsMaps>> {
        let (Some(t1), Some(repetition_time), Some(flip_angle)) = (&self.t1, self.repetition_time, self.flip_angle)
        else {
            return Ok(None);
        };
        let signal = SignalModelParams::new(repetition_time / 1000.0, flip_angle)
            .with_relaxivity(self.relaxivity)
            .with_baseline_phases(baseline)
            .check()
            .map_err(wrong_value)?;
        let times = series.times();
        let input = match &self.input_function {
            Some(path) => read_input_function(path)?,
            None => {
                let arrival = self.arrival.unwrap_or(times[baseline - 1]);
                ParkerParams::new(arrival, times[times.len() - 1])
                    .with_haematocrit(self.haematocrit)
                    .check()
                    .map_err(wrong_value)?
            }
        };
        let model = if self.standard_tofts { ToftsModel::Standard } else { ToftsModel::Extended };
        let fitter = ToftsParams::default().with_model(model).check()?.fitter(&input, times)?;
        let map = match t1.parse::<f64>() {
            Ok(_) => None,
            Err(_) => Some(read_image(Path::new(t1))?.cast::<f32>()),
        };
        let t1 = match (&map, t1.parse::<f64>()) {
            (Some(map), _) => T1::Map(map),
            (None, Ok(seconds)) if seconds > 0.0 && seconds.is_finite() => T1::Constant(seconds),
            _ => return Err(wrong_use(format!("--t1 is {t1}; it has to be above 0 seconds, or a file"))),
        };
        let progress = Counted::start("rows of voxels", 0);
        Ok(Some(fitter.maps_with(series, region, &signal, t1, &progress.observer())?))
    }
}

/// Reads the columns seconds and plasma of a CSV file.
fn read_input_function(path: &Path) -> Result<InputFunction> {
    let shown = path.display();
    let text = read_table_text(path)?;
    let SeparatedTable { columns, rows } = table(&text).with_context(|| format!("cannot read {shown}"))?;
    let place = |name: &str| {
        let place = columns.iter().position(|column| column.eq_ignore_ascii_case(name));
        place.with_context(|| {
            format!("{shown} has no column {name}; an input function has the columns seconds and plasma")
        })
    };
    let (seconds, plasma) = (place("seconds")?, place("plasma")?);
    let (mut times, mut concentrations) = (Vec::new(), Vec::new());
    for SeparatedRow { cells, line } in &rows {
        let number = |place: usize| {
            let text = cells.get(place).map_or("", String::as_str);
            text.parse::<f64>().with_context(|| format!("{shown}, line {line}: {text:?} is no number"))
        };
        times.push(number(seconds)?);
        concentrations.push(number(plasma)?);
    }
    InputFunction::measured(times, concentrations).with_context(|| shown.to_string())
}

/// The tables of all regions of a mask.
struct RegionTables {
    figures: DataTable,
    curves: DataTable,
}

impl RegionTables {
    fn of(
        kinetics: &VoxelKinetics,
        series: &DynamicSeries,
        mask: &LabelMap,
        tofts: Option<&ToftsMaps>,
    ) -> Result<Self> {
        let found = labels(mask, MOST_LABELS + 1);
        ensure!(found.len() <= MOST_LABELS, "the mask holds more than {MOST_LABELS} labels; it is no mask of regions");
        let (mut figures, mut curves): (Option<DataTable>, _) = (
            None,
            DataTable::new(["label", "phase", "seconds", "voxels", "mean", "standard_deviation", "low", "high"])?,
        );
        for label in found {
            let region = Roi::new(mask, label)?;
            let row = figure_row(label, region, &kinetics.region(series, region)?, tofts)?;
            let (names, cells): (Vec<String>, Vec<Cell>) = row.into_iter().unzip();
            let table = match &mut figures {
                Some(table) => table,
                None => figures.insert(DataTable::new(&names)?),
            };
            table.push(cells)?;
            for (phase, point) in (1_usize..).zip(RegionCurve::of(series, region)?.points()) {
                curves.push(cells![
                    label as usize,
                    phase,
                    point.time,
                    point.voxels,
                    point.mean,
                    point.standard_deviation,
                    point.low,
                    point.high
                ])?;
            }
        }
        Ok(Self { figures: figures.context("the mask holds no label above 0")?, curves })
    }
}

/// The columns of a region with their values.
fn figure_row(
    label: u32,
    region: Roi<'_>,
    kinetics: &RegionKinetics,
    tofts: Option<&ToftsMaps>,
) -> Result<Vec<(String, Cell)>> {
    let volumes = kinetics.washout_volumes;
    let mut row: Vec<(String, Cell)> = [
        ("label", Cell::from(label as usize)),
        ("voxels", kinetics.voxels.into()),
        ("volume_mm3", region.volume().into()),
        ("undefined_voxels", kinetics.undefined_voxels.into()),
        ("early_phase", (kinetics.early_phase + 1).into()),
        ("late_phase", (kinetics.late_phase + 1).into()),
        ("functional_tumour_volume_mm3", kinetics.functional_tumour_volume.into()),
        ("no_class_mm3", volumes.none.into()),
        ("persistent_mm3", volumes.persistent.into()),
        ("plateau_mm3", volumes.plateau.into()),
        ("washout_mm3", volumes.washout.into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for summary in &kinetics.maps {
        let name = summary.map.name();
        let unit = match summary.map.unit() {
            "" => String::new(),
            unit => format!("_{}", unit.replace("1/s", "per_s")),
        };
        for (figure, value) in [
            ("voxels", Cell::from(summary.voxels)),
            ("mean", summary.mean.into()),
            ("standard_deviation", summary.standard_deviation.into()),
            ("percentile_10", summary.percentile_10.into()),
            ("median", summary.median.into()),
            ("percentile_90", summary.percentile_90.into()),
        ] {
            let unit = if figure == "voxels" { "" } else { unit.as_str() };
            row.push((format!("{name}_{figure}{unit}"), value));
        }
    }
    for (name, map) in tofts.map(ToftsMaps::named).into_iter().flatten() {
        let mut values: Vec<f64> =
            region.values(map)?.into_iter().map(f64::from).filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let median = match count {
            0 => f64::NAN,
            _ => 0.5 * (values[(count - 1) / 2] + values[count / 2]),
        };
        row.push((format!("{name}_voxels"), count.into()));
        row.push((format!("{name}_mean"), mean.into()));
        row.push((format!("{name}_median"), median.into()));
    }
    Ok(row)
}
