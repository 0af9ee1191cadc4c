//! `alnm agreement`: how far outlines agree, and one outline out of several.

use std::path::{Path, PathBuf};

use alnm_imaging::mask::{MaskParams, RegionChoice};
use alnm_imaging::{LabelMap, Volume, write_image, write_mask};
use alnm_segmentation::agreement::{LabelAgreement, OutlineComparisonParams, OutlineDistances, RegionOverlap};
use alnm_segmentation::consensus::{StapleParams, majority_vote};
use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

use crate::exit::{Ending, as_told, wrong_use, wrong_value};
use crate::input::{ChosenImage, MaskDrawing, SeriesChoice, noted, open};
use crate::interrupt::while_writing;
use crate::messages::{error, inform};
use crate::options::{List, ResultFormat, ResultOptions, millimetres};
use crate::output::refuse_stream;
use crate::progress::Counted;

/// Compare outlines of the same structures with a reference: Dice, Jaccard, volume similarity, kappa, Hausdorff
/// distances, distances of the surfaces and surface Dice, as SimpleITK and DeepMind's surface-distance compute them.
///
/// Columns that begin with voxel_ follow SimpleITK, those with surfel_ surface-distance; both are in mm. With
/// --consensus the reference and the others are also combined to one outline.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm agreement reader1.nii.gz reader2.nii.gz
  alnm agreement reader1.dcm reader2.dcm --like ct-folder --roi GTV-1 --slices -o agreement.csv
  alnm agreement reader1.nii.gz reader2.nii.gz reader3.nii.gz --consensus staple --consensus-out staple.nii.gz")]
pub(crate) struct AgreementCommand {
    /// Mask of the reference: an image, or a DICOM segmentation or structure set; `-` is standard input.
    #[arg(value_name = "REFERENCE")]
    reference: PathBuf,
    /// Masks that are compared with it.
    #[arg(value_name = "OTHER", required = true)]
    others: Vec<PathBuf>,
    /// Labels to compare; by default all that occur in either mask.
    #[arg(short, long, visible_alias = "label", value_name = "N,N,...", num_args = 1)]
    labels: Vec<List<u32>>,
    /// Region of each mask by name; it becomes the label 1.
    #[arg(long, value_name = "NAME", conflicts_with = "labels")]
    roi: Option<String>,
    /// Region of each mask by number: ROI number, segment number, or label; it becomes the label 1.
    #[arg(long, value_name = "N", conflicts_with_all = ["labels", "roi"])]
    roi_number: Option<u32>,
    /// Image on whose grid the masks are drawn: structure sets need it.
    #[arg(long, value_name = "IMAGE")]
    like: Option<PathBuf>,
    #[command(flatten)]
    choice: SeriesChoice,
    #[command(flatten)]
    drawing: MaskDrawing,
    /// Distance in mm up to which surfaces agree, for the surface Dice.
    #[arg(long, value_name = "MM", value_parser = millimetres, default_value = "1")]
    tolerance: f64,
    /// Percentile of the robust distances.
    #[arg(long, value_name = "X", default_value_t = 95.0)]
    percentile: f64,
    /// Also compare each slice by itself, in two dimensions.
    #[arg(long)]
    slices: bool,
    #[command(flatten)]
    result: ResultOptions,
    /// Combine all masks to one.
    #[arg(long, value_enum, requires = "consensus_out")]
    consensus: Option<Consensus>,
    /// File for the combined mask.
    #[arg(long, value_name = "FILE", requires = "consensus")]
    consensus_out: Option<PathBuf>,
    /// File for the probability of STAPLE.
    #[arg(long, value_name = "FILE", requires = "consensus")]
    probability_out: Option<PathBuf>,
    #[command(flatten)]
    threads: crate::Threads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Consensus {
    /// The voxels of the label 1 whose probability after STAPLE is at least a half.
    Staple,
    /// The label that most masks give; 0 where there is no majority.
    Majority,
}

/// A row of the table.
#[derive(Debug, Serialize)]
struct Row<'a> {
    reference: String,
    other: String,
    label: u32,
    /// None for the whole structure.
    slice: Option<usize>,
    overlap: &'a RegionOverlap,
    distances: Option<&'a OutlineDistances>,
}

impl AgreementCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let images = [&self.consensus_out, &self.probability_out].into_iter().flatten().map(PathBuf::as_path);
        for path in images.clone() {
            refuse_stream(path, "combined mask, since the table goes there")?;
        }
        self.result.overwriting.check_images(images)?;
        self.result.check()?;
        if self.probability_out.is_some() && self.consensus != Some(Consensus::Staple) {
            return Err(wrong_use("--probability-out needs --consensus staple, which computes probabilities"));
        }
        self.threads.start()?;
        let comparison = OutlineComparisonParams::default()
            .with_labels(self.labels())
            .with_tolerance(self.tolerance)
            .with_percentile(self.percentile)
            .with_per_slice(self.slices)
            .check()
            .map_err(wrong_value)?;
        let like = self.like.as_deref().map(|path| self.choice.read(path)).transpose()?;
        let reference = self.read(&self.reference, like.as_ref())?;
        let others =
            self.others.iter().map(|path| self.read(path, like.as_ref())).collect::<anyhow::Result<Vec<_>>>()?;
        let mut found = Vec::with_capacity(others.len());
        let mut absent = 0;
        let progress = Counted::start("comparisons", others.len());
        for (path, other) in self.others.iter().zip(&others) {
            let agreement = comparison.compare(&reference, other).with_context(|| path.display().to_string())?;
            let is_absent = |found: &&LabelAgreement| found.overlap.reference_voxels + found.overlap.other_voxels == 0;
            for LabelAgreement { label, .. } in agreement.labels.iter().filter(is_absent) {
                absent += 1;
                error(format_args!(
                    "neither {} nor {} has a voxel of label {label}",
                    self.reference.display(),
                    path.display()
                ));
            }
            found.push((path, agreement.labels));
            progress.advance();
        }
        progress.finish();
        let compared: usize = found.iter().map(|(_, labels)| labels.len()).sum();
        if absent > 0 && absent == compared {
            return Err(as_told(Ending::Failed));
        }
        let rows: Vec<Row<'_>> = found.iter().flat_map(|(path, labels)| self.rows(path, labels)).collect();
        self.result.write(&match self.result.format() {
            ResultFormat::Text => text_table(&rows),
            ResultFormat::Csv => csv_table(&rows)?,
            ResultFormat::Json => format!("{}\n", serde_json::to_string_pretty(&rows)?),
        })?;
        let all: Vec<&LabelMap> = [&reference].into_iter().chain(&others).collect();
        self.combine(&all)?;
        if absent > 0 { Err(as_told(Ending::PartlyDone)) } else { Ok(()) }
    }

    fn read(&self, path: &Path, like: Option<&ChosenImage>) -> anyhow::Result<LabelMap> {
        if let Some(chosen) = like {
            return self.drawing.read_for(chosen, path, self.region());
        }
        let mut params = self.drawing.apply(MaskParams::default());
        params.region = self.region();
        Ok(noted(params.check()?.read_with_notes(open(path)?)?))
    }

    /// The labels that are asked for.
    fn labels(&self) -> Vec<u32> {
        self.labels.iter().flat_map(|List(labels)| labels).copied().collect()
    }

    fn region(&self) -> Option<RegionChoice> {
        self.roi.as_deref().map(RegionChoice::from).or(self.roi_number.map(RegionChoice::from))
    }

    fn rows<'a>(&self, other: &Path, labels: &'a [LabelAgreement]) -> Vec<Row<'a>> {
        let names = [&*self.reference, other].map(|path| path.display().to_string());
        let row = |label: u32, slice, overlap, distances| {
            let [reference, other] = names.clone();
            Row { reference, other, label, slice, overlap, distances }
        };
        let of_label = |found: &'a LabelAgreement| {
            let whole = row(found.label, None, &found.overlap, found.distances.as_ref());
            let slices = found.slices.iter();
            let slices = slices.map(|on| row(found.label, Some(on.slice), &on.overlap, on.distances.as_ref()));
            [whole].into_iter().chain(slices).collect::<Vec<_>>()
        };
        labels.iter().flat_map(of_label).collect()
    }

    fn combine(&self, outlines: &[&LabelMap]) -> anyhow::Result<()> {
        let (Some(consensus), Some(out)) = (self.consensus, &self.consensus_out) else { return Ok(()) };
        if consensus == Consensus::Majority {
            let vote = majority_vote(outlines, 0)?;
            let _whole = while_writing();
            return Ok(write_mask(out, &vote)?);
        }
        let label = self.labels().first().copied().unwrap_or(1);
        let found = StapleParams::default().with_label(label).check()?.estimate(outlines)?;
        for (path, rater) in [&self.reference].into_iter().chain(&self.others).zip(&found.raters) {
            let (sensitivity, specificity) = (rater.sensitivity, rater.specificity);
            inform(format_args!("{}: sensitivity {sensitivity:.4}, specificity {specificity:.4}", path.display()));
        }
        let _whole = while_writing();
        write_mask(out, &found.mask(0.5).map(|&voxel| voxel * label))?;
        if let Some(path) = &self.probability_out {
            let probability: Volume<f32> = found.probability.map(|&probability| probability as f32);
            write_image(path, &probability.into())?;
        }
        Ok(())
    }
}

/// The columns of the table after those that tell rows apart.
const MEASURES: [&str; 27] = [
    "reference_voxels",
    "other_voxels",
    "common_voxels",
    "reference_mm3",
    "other_mm3",
    "dice",
    "jaccard",
    "volume_similarity",
    "kappa",
    "false_negative_error",
    "false_discovery_rate",
    "voxel_hausdorff",
    "voxel_average_hausdorff",
    "voxel_surface_mean",
    "voxel_surface_median",
    "voxel_surface_sd",
    "voxel_surface_percentile",
    "voxel_surface_maximum",
    "surfel_hausdorff",
    "surfel_robust_hausdorff",
    "surfel_mean_from_reference",
    "surfel_mean_from_other",
    "surfel_surface_dice",
    "surfel_overlap_of_reference",
    "surfel_overlap_of_other",
    "surfel_reference_area",
    "surfel_other_area",
];

/// A few lines for each row: the measures that are asked for most.
fn text_table(rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for row in rows {
        let slice = row.slice.map_or_else(String::new, |slice| format!(", slice {slice}"));
        let RegionOverlap { dice, jaccard, volume_similarity, kappa, .. } = row.overlap;
        text += &format!("{} and {}, label {}{slice}\n", row.reference, row.other, row.label);
        text += &format!(
            "  Dice {dice:.4}, Jaccard {jaccard:.4}, volume similarity {volume_similarity:.4}, kappa {kappa:.4}\n"
        );
        text += &match row.distances {
            None => "  no distances: one of the masks has no voxel\n".to_owned(),
            Some(OutlineDistances { voxels, surfels, .. }) => format!(
                "  Hausdorff {:.3} mm, percentile {:.3} mm, surface mean {:.3} mm, median {:.3} mm (SimpleITK)\n  Hausdorff {:.3} mm, \
                 percentile {:.3} mm, mean {:.3} and {:.3} mm, surface Dice {:.4} (surface-distance)\n",
                voxels.hausdorff,
                voxels.surface_percentile,
                voxels.surface_mean,
                voxels.surface_median,
                surfels.hausdorff,
                surfels.robust_hausdorff,
                surfels.mean_from_reference,
                surfels.mean_from_other,
                surfels.surface_dice
            ),
        };
    }
    text
}

fn csv_table(rows: &[Row<'_>]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["Reference", "Other", "Label", "Slice"].into_iter().chain(MEASURES))?;
    for row in rows {
        let slice = row.slice.map_or_else(String::new, |slice| slice.to_string());
        let names = [row.reference.clone(), row.other.clone(), row.label.to_string(), slice];
        writer.write_record(names.into_iter().chain(measures(row)))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// The values of [`MEASURES`]; empty where a measure is not defined.
fn measures(row: &Row<'_>) -> Vec<String> {
    let overlap = row.overlap;
    let counts = [overlap.reference_voxels, overlap.other_voxels, overlap.common_voxels];
    let mut values: Vec<String> = counts.iter().map(ToString::to_string).collect();
    let mut add = |measures: &[f64]| {
        let text = |value: &f64| if value.is_finite() { value.to_string() } else { String::new() };
        values.extend(measures.iter().map(text));
    };
    add(&[overlap.reference_volume, overlap.other_volume, overlap.dice, overlap.jaccard, overlap.volume_similarity]);
    add(&[overlap.kappa, overlap.false_negative_error, overlap.false_discovery_rate]);
    if let Some(OutlineDistances { voxels, surfels, .. }) = row.distances {
        add(&[voxels.hausdorff, voxels.average_hausdorff, voxels.surface_mean, voxels.surface_median]);
        add(&[voxels.surface_standard_deviation, voxels.surface_percentile, voxels.surface_maximum]);
        add(&[surfels.hausdorff, surfels.robust_hausdorff, surfels.mean_from_reference, surfels.mean_from_other]);
        add(&[surfels.surface_dice, surfels.overlap_of_reference, surfels.overlap_of_other]);
        add(&[surfels.reference_area, surfels.other_area]);
    }
    values.resize(MEASURES.len(), String::new());
    values
}
