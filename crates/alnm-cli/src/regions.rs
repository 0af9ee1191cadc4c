//! `alnm regions`: regions made from a region.

mod habitats;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use alnm_imaging::LabelMap;
use alnm_imaging::mask::MaskParams;
use alnm_imaging::region::{Ring, RingLimits, RingParams, Roi};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::exit::{require, wrong_use, wrong_value};
use crate::input::{ChosenImage, MaskChoice, MaskDrawing, SeriesChoice, noted, open};
use crate::messages::inform;
use crate::options::{ImageOutput, OutputFile, RegionOptions, without_unit};
use crate::output::{Activity, warn};

/// Make regions from a region: rings around it, shells in it, habitats of its voxels.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alnm regions rings lesion.nii.gz rings.nii.gz --ring 0:5 --ring 5:10 --image phase2.nii.gz --above 50
  alnm regions rings lesion.nii.gz shells.nii.gz --shells 2:3 --within breast.nii.gz
  alnm regions learn-habitats habitats.json maps/* --features peak_enhancement,washout_slope
  alnm regions habitats habitats.json maps/patient7 habitats.nii.gz")]
pub(crate) struct Regions {
    #[command(subcommand)]
    command: RegionsCommand,
}

#[derive(Debug, Subcommand)]
enum RegionsCommand {
    Rings(RingsCommand),
    LearnHabitats(habitats::LearnHabitats),
    Habitats(habitats::MapHabitats),
}

/// Draw bands of distances from the surface of a region, in mm on the grid's own spacing: label 1 for the first and so
/// on.
#[derive(Debug, Args)]
#[command(after_help = "Example: alnm regions rings lesion.nii.gz rings.nii.gz --ring=-2:0 --ring 0:5 --ring 5:10")]
struct RingsCommand {
    /// Mask: an image, or with --image a DICOM segmentation or structure set; `-` is standard input.
    #[arg(value_name = "MASK")]
    mask: PathBuf,
    #[command(flatten)]
    output: OutputFile,
    #[command(flatten)]
    region: RegionOptions,
    /// A ring between two distances in mm from the surface: 0:5 is up to 5 mm outside, -2:0 up to 2 mm inside, -2:5
    /// both. Repeat it for further rings; rings must not overlap.
    #[arg(long = "ring", value_name = "MM:MM", allow_hyphen_values = true, required_unless_present = "shells")]
    rings: Vec<Limits>,
    /// Instead, shells of the region from its surface inwards: their width, and how many, the last with all that is
    /// deeper.
    #[arg(long, value_name = "MM:N", conflicts_with = "rings")]
    shells: Option<Limits>,
    /// Mask of where rings may lie, such as the breast.
    #[arg(long, value_name = "FILE")]
    within: Option<PathBuf>,
    /// Image on whose grid the masks are drawn, and whose voxels --above looks at.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    choice: SeriesChoice,
    /// Rings have only voxels above this intensity of the image, as tissue is above air.
    #[arg(long, value_name = "X", requires = "image", allow_negative_numbers = true)]
    above: Option<f64>,
    /// Let rings have voxels of other labels of the mask.
    #[arg(long)]
    over_other_labels: bool,
    #[command(flatten)]
    drawing: MaskDrawing,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    written: ImageOutput,
}

/// Two numbers with a colon between them.
#[derive(Debug, Clone, Copy)]
struct Limits([f64; 2]);

impl FromStr for Limits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse().ok();
        let numbers = without_unit(text, "mm").split_once(':');
        let numbers = numbers.and_then(|(a, b)| Some([number(without_unit(a, "mm"))?, number(b)?]));
        numbers.map(Self).ok_or_else(|| "it has to be two numbers with a colon between them, such as 0:5".to_owned())
    }
}

impl Regions {
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            RegionsCommand::Rings(command) => command.run(),
            RegionsCommand::LearnHabitats(command) => command.run(),
            RegionsCommand::Habitats(command) => command.run(),
        }
    }
}

impl RingsCommand {
    fn run(self) -> Result<()> {
        self.written.check([&*self.output])?;
        require(
            self.image.is_some() || !self.choice.is_any(),
            "--phase, --series, --volume and the like choose a volume of --image; name the image",
        )?;
        self.threads.start()?;
        let drawing = self.params()?.check().map_err(wrong_value)?;
        let activity = Activity::start("reading");
        let chosen = self.image.as_deref().map(|path| self.choice.read(path)).transpose()?;
        let mask = self.read_mask(chosen.as_ref())?;
        let frame_of_reference = chosen.as_ref().and_then(|chosen| chosen.frame_of_reference.as_deref());
        let everywhere = MaskChoice { drawing: self.drawing, ..MaskChoice::default() };
        let read_within = |path: &Path| everywhere.read_on(mask.geometry(), frame_of_reference, path);
        let within = self.within.as_deref().map(read_within).transpose()?;
        let image = chosen.as_ref().map(|chosen| &chosen.image);
        let mut limits = RingLimits::default();
        if let Some(within) = &within {
            limits = limits.with_within(within);
        }
        if let (Some(image), Some(value)) = (image, self.above) {
            limits = limits.with_above(image, value);
        }
        activity.next("drawing");
        let region = Roi::new(&mask, self.region.label()).with_context(|| self.mask.display().to_string())?;
        let rings = drawing.draw(region, limits)?;
        activity.next("writing");
        self.written.write_mask(&self.output, &rings.mask)?;
        activity.finish();
        for drawn in &rings.rings {
            let Ring { from, to, .. } = drawn.ring;
            let cut = if drawn.cut_voxels > 0 { format!(", {} more cut off", drawn.cut_voxels) } else { String::new() };
            inform(format_args!("label {}, {from} to {to} mm: {} voxels{cut}", drawn.label, drawn.voxels));
            if drawn.voxels == 0 {
                let why = self.why_empty(drawn.cut_voxels);
                warn(format_args!("the ring {from} to {to} mm is empty, label {} is not there: {why}", drawn.label));
            }
        }
        Ok(())
    }

    /// Why a ring has no voxel, of which so many were cut off.
    fn why_empty(&self, cut_voxels: usize) -> String {
        if cut_voxels == 0 {
            return "no voxel of the grid lies at these distances".to_owned();
        }
        let limits = [
            (self.within.is_some(), "--within"),
            (self.above.is_some(), "--above"),
            (!self.over_other_labels, "other labels of the mask, which --over-other-labels lets rings have"),
        ];
        let limits: Vec<&str> = limits.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect();
        format!("all {cut_voxels} voxels at these distances are cut off by {}", limits.join(" or "))
    }

    fn params(&self) -> Result<RingParams> {
        let params = match self.shells {
            Some(Limits([width, count])) => {
                if !(width > 0.0 && width.is_finite()) {
                    return Err(wrong_use(format!("--shells: the width is {width}; it must be above 0 mm")));
                }
                if !(1.0..=1000.0).contains(&count) || count.fract() != 0.0 {
                    let refused = format!("--shells: the number is {count}; it must be a whole number from 1 to 1000");
                    return Err(wrong_use(refused));
                }
                RingParams::shells(width, count as usize)
            }
            None => RingParams::new(self.rings.iter().map(|&Limits([from, to])| Ring::new(from, to))),
        };
        Ok(params.with_keep_other_labels_out(!self.over_other_labels))
    }

    /// The mask, on the grid of the image where one is given.
    fn read_mask(&self, chosen: Option<&ChosenImage>) -> Result<LabelMap> {
        if let Some(chosen) = chosen {
            // Other labels stay: rings keep out of them.
            let region = RegionOptions { label: None, ..self.region.clone() };
            let choice = MaskChoice { region, drawing: self.drawing };
            return choice.read_on(chosen.image.geometry(), chosen.frame_of_reference.as_deref(), &self.mask);
        }
        let mut params = self.drawing.apply(MaskParams::default());
        params.region = self.region.choice();
        Ok(noted(params.check()?.read_with_notes(open(&self.mask)?)?))
    }
}
