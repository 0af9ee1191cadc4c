//! `alnm deep-features` and `alnm grad-cam`: what a convolutional network sees in a lesion.

use std::path::{Path, PathBuf};

use alnm_deep::{
    Backbone, ChannelWeights, FeatureExtractor, GradCamOptions, Head, Initialisation, LesionCrop, Network,
    OcclusionOptions, OnnxNetwork, Predictor, Preparation, Tensor, Views, features, grad_cam, occlusion_map,
};
use alnm_imaging::Image;
use alnm_stats::data_table::{Cell, DataTable};
use anyhow::{Context, Result, bail, ensure};
use ndarray::Array2;

use crate::cases::{ListedCase, Masks, is_list, read_folder, read_list};
use crate::exit::{of_batch, require, wrong_use};
use crate::input::{ChosenImage, MaskDrawing, SeriesChoice, noted, open, refuse_standard_input};
use crate::messages;
use crate::options::{ImageOutput, OutputFile, RegionOptions};
use crate::output::{Activity, Overwriting};
use crate::progress::Counted;

/// The network of a command.
#[derive(Debug, clap::Args)]
struct Weights {
    /// Weights: a network saved by alnm-deep, or, with --backbone, torchvision's parameters as safetensors or .pth.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// The network that torchvision's parameters belong to: resnet18, resnet34, resnet50, resnet101, vgg16 or
    /// densenet121.
    #[arg(long, value_name = "NAME")]
    backbone: Option<Backbone>,
    /// Pixels on a side of the crop that the network sees.
    #[arg(long, value_name = "N", default_value_t = 224, value_parser = clap::value_parser!(u16).range(32..=1024))]
    side: u16,
}

/// Which image is meant, and which region of its mask.
#[derive(Debug, Clone, clap::Args)]
struct LesionChoice {
    #[command(flatten)]
    region: RegionOptions,
    #[command(flatten)]
    choice: SeriesChoice,
    #[command(flatten)]
    drawing: MaskDrawing,
}

/// The network of a table of features: one of this program's, or any in an ONNX file.
#[derive(Debug, clap::Args)]
struct FeatureWeights {
    /// Weights: a network saved by alnm-deep, or, with --backbone, torchvision's parameters as safetensors or .pth.
    #[arg(long, value_name = "FILE", required_unless_present = "onnx", conflicts_with = "onnx")]
    weights: Option<PathBuf>,
    /// The network that torchvision's parameters belong to: resnet18, resnet34, resnet50, resnet101, vgg16 or
    /// densenet121.
    #[arg(long, value_name = "NAME", conflicts_with = "onnx")]
    backbone: Option<Backbone>,
    /// Network in an ONNX file, with one input of 1 or 3 channels: 3 get the crop as ImageNet's networks take it, 1
    /// gets its grey values from 0 to 1.
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// The value of the ONNX network that is written, by its name; the first output by default.
    #[arg(long, value_name = "NAME", requires = "onnx")]
    output: Option<String>,
    /// Pixels on a side of the crop that the network sees; 224, or what an ONNX network asks for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(32..=1024))]
    side: Option<u16>,
}

/// A network that computes features.
enum FeatureNetwork {
    Own(Box<Predictor>),
    Onnx(Box<OnnxNetwork>),
}

impl FeatureNetwork {
    fn features(&self, crop: Array2<f32>, views: Views) -> Result<Vec<f32>> {
        Ok(match self {
            Self::Own(predictor) => features(predictor.as_ref(), &[crop], "fc", views)?.remove(0),
            Self::Onnx(network) => network.features(&crop, Preparation::default(), views)?,
        })
    }
}

impl FeatureWeights {
    fn network(&self) -> Result<FeatureNetwork> {
        if let Some(onnx) = &self.onnx {
            refuse_standard_input(onnx, "network")?;
            let names: Vec<&str> = self.output.as_deref().into_iter().collect();
            return Ok(FeatureNetwork::Onnx(Box::new(OnnxNetwork::open_with_outputs(onnx, &names)?)));
        }
        let weights = self.weights.as_deref().context("a network is needed: --weights or --onnx")?;
        Ok(FeatureNetwork::Own(Box::new(Predictor::new(&network_of(weights, self.backbone)?))))
    }

    /// The side of the crop: what was asked for, or what the network takes.
    fn side(&self, network: &FeatureNetwork) -> Result<u16> {
        const DEFAULT: u16 = 224;
        let FeatureNetwork::Onnx(network) = network else { return Ok(self.side.unwrap_or(DEFAULT)) };
        let fixed = match network.inputs() {
            [input] => match input.shape[..] {
                [_, _, Some(rows), Some(columns)] => Some((rows, columns)),
                _ => None,
            },
            _ => None,
        };
        let Some((rows, columns)) = fixed else { return Ok(self.side.unwrap_or(DEFAULT)) };
        let side = u16::try_from(rows).ok().filter(|side| rows == columns && (32..=1024).contains(side));
        let side = side.with_context(|| {
            format!("the network takes images of {rows} x {columns}; squares of 32 to 1024 pixels are made")
        })?;
        ensure!(
            self.side.is_none_or(|asked| asked == side),
            "--side asks for another size than the network's {side} pixels; leave it away"
        );
        Ok(side)
    }
}

fn network_of(weights: &Path, backbone: Option<Backbone>) -> Result<Network> {
    refuse_standard_input(weights, "weights")?;
    let Some(backbone) = backbone else {
        return Network::load(weights)
            .context("without --backbone the weights have to be a network saved by alnm-deep");
    };
    let mut network = Network::initialised(backbone, Head::None, Initialisation::default());
    network.load_weights(weights)?;
    Ok(network)
}

impl LesionChoice {
    fn crop(&self, image: &Path, mask: &Path, side: u16) -> Result<(LesionCrop, Image)> {
        let chosen = self.choice.read(image)?;
        let mut params = self.drawing.for_image(&chosen);
        params.region = self.region.choice();
        let outline = noted(params.check()?.read_with_notes(open(mask)?)?);
        let ChosenImage { image: pixels, .. } = chosen;
        let crop = LesionCrop::of_largest_section(&pixels, &outline, self.region.label(), side.into())
            .with_context(|| format!("cannot crop {} to the lesion of {}", image.display(), mask.display()))?;
        Ok((crop, pixels))
    }
}

/// Write the outputs of a network for each lesion, as a CSV file: the 1000 of its last layer, or any of an ONNX
/// network.
///
/// The network sees the rectangle around the largest axial section of the mask at 1 mm, 3 mm around it, its grey values
/// from the 1st to the 99th percentile brought to the range of 0 to 1.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples: alnm deep-features image.nii.gz mask.nii.gz --weights resnet50.pth --backbone resnet50 --out features.csv
          alnm deep-features cases.csv --weights network.safetensors --out features.csv
          alnm deep-features cases.csv --onnx dinov2.onnx --output features --out features.csv

cases.csv has the columns Image and Mask, relative to its folder, and may have Label, Roi, Series, Phase and Image_volume; other columns
are copied. In a folder, NAME_image.EXT goes with NAME_mask.EXT."
)]
pub(crate) struct DeepFeatureTable {
    #[command(flatten)]
    lesions: Lesions,
    #[command(flatten)]
    weights: FeatureWeights,
    /// File for the table (CSV); `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Average over the crop and its mirror images.
    #[arg(long)]
    average_flips: bool,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

impl DeepFeatureTable {
    pub(crate) fn run(self) -> Result<()> {
        self.overwriting.check_files([self.out.as_path()])?;
        self.threads.start()?;
        let cases = self.lesions.cases()?;
        let network = self.weights.network()?;
        let side = self.weights.side(&network)?;
        let views = if self.average_flips { Views::Flips } else { Views::One };
        // A network whose input is open may give other numbers of outputs for other images; a table cannot.
        let mut length = None;
        let of_case = |case: &LesionCase| -> Result<Vec<f32>> {
            let row = network.features(case.pixels(side)?, views)?;
            let fits = *length.get_or_insert(row.len()) == row.len();
            ensure!(fits, "the network gives {} outputs, another number than for the cases before", row.len());
            Ok(row)
        };
        write_rows(&cases, of_case, |index| format!("deep_{index}"), &self.out, &self.overwriting)
    }
}

/// Where the images of a command and their masks come from.
#[derive(Debug, clap::Args)]
pub(crate) struct Lesions {
    /// Image, CSV file of cases, or folder of images and masks.
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// Mask, for a single image.
    #[arg(value_name = "MASK")]
    mask: Option<PathBuf>,
    #[command(flatten)]
    lesion: LesionChoice,
}

impl Lesions {
    /// Images with their masks, at least one.
    pub(crate) fn cases(&self) -> Result<Vec<LesionCase>> {
        let cases = self.named()?;
        ensure!(!cases.is_empty(), "{} holds no case; a case has an image and a mask", self.input.display());
        Ok(cases)
    }

    fn named(&self) -> Result<Vec<LesionCase>> {
        let of_paths = |(image, mask): (PathBuf, PathBuf)| {
            let column = |name: &str, path: &Path| (name.to_owned(), path.to_string_lossy().into_owned());
            let columns = vec![column("Image", &image), column("Mask", &mask)];
            LesionCase { image, mask, lesion: self.lesion.clone(), columns }
        };
        match &self.mask {
            Some(mask) => Ok(vec![of_paths((self.input.clone(), mask.clone()))]),
            None if self.input.is_dir() => Ok(read_folder(&self.input)?.into_iter().map(of_paths).collect()),
            None if is_list(&self.input) => self.cases_of_list(),
            None => Err(wrong_use(format!(
                "{} is neither a list of cases nor a folder, and no mask is given; name the mask after the image",
                self.input.display()
            ))),
        }
    }

    /// The cases of a list, each of which has to have an image and a mask. Its columns choose region and image of each.
    fn cases_of_list(&self) -> Result<Vec<LesionCase>> {
        let path = &self.input;
        let list = read_list(path, Masks::Needed)?;
        if let Some(line) = list.incomplete.first() {
            bail!("{}, line {line}: the case lacks an image or a mask; complete the row or remove it", path.display());
        }
        let of_row = |row: ListedCase| -> Result<LesionCase> {
            let (region, choice) = row.choices(path, &self.lesion.region, &self.lesion.choice)?;
            let lesion = LesionChoice { region, choice, ..self.lesion.clone() };
            let mask = row.mask.with_context(|| format!("{}, line {}: no mask", path.display(), row.line))?;
            Ok(LesionCase { image: row.image, mask, lesion, columns: row.columns })
        };
        list.cases.into_iter().map(of_row).collect()
    }
}

/// An image with its mask, what is taken of them, and the columns of its row.
pub(crate) struct LesionCase {
    image: PathBuf,
    mask: PathBuf,
    lesion: LesionChoice,
    pub(crate) columns: Vec<(String, String)>,
}

impl LesionCase {
    /// The grey values that a network sees.
    pub(crate) fn pixels(&self, side: u16) -> Result<Array2<f32>> {
        Ok(self.lesion.crop(&self.image, &self.mask, side)?.0.into_pixels())
    }
}

/// Writes a table with a row for each case: its columns, and the values of `of_case` under the names that `name` gives
/// their places. A case that fails is an error message and has no values; without any other case there is no table.
pub(crate) fn write_rows<T: ToString>(
    cases: &[LesionCase],
    mut of_case: impl FnMut(&LesionCase) -> Result<Vec<T>>,
    name: impl Fn(usize) -> String,
    out: &Path,
    overwriting: &Overwriting,
) -> Result<()> {
    let progress = Counted::start("cases", cases.len());
    let mut rows = Vec::with_capacity(cases.len());
    for (number, case) in (1..).zip(cases) {
        let row = of_case(case);
        if let Err(error) = &row {
            messages::error(format_args!("case {number}: {}", messages::reasons(error)));
        }
        rows.push(row.ok());
        progress.advance();
    }
    progress.finish();
    let failed = rows.iter().filter(|row| row.is_none()).count();
    if failed < cases.len() {
        overwriting.write_file(out, table(cases, &rows, name)?.to_csv().as_bytes())?;
    }
    of_batch(failed, cases.len(), "cases")
}

/// The columns of the cases with what was computed behind them, which is empty for cases that failed.
fn table<T: ToString>(
    cases: &[LesionCase],
    rows: &[Option<Vec<T>>],
    name: impl Fn(usize) -> String,
) -> Result<DataTable> {
    let count = rows.iter().flatten().map(Vec::len).next().unwrap_or(0);
    let given: Vec<&str> = cases
        .iter()
        .map(|case| &case.columns)
        .max_by_key(|columns| columns.len())
        .map_or_else(Vec::new, |columns| columns.iter().map(|(name, _)| name.as_str()).collect());
    let names = (0..count).map(name);
    let mut table = DataTable::new(given.iter().map(|name| (*name).to_owned()).chain(names))?;
    for (case, row) in cases.iter().zip(rows) {
        let cell = |name: &&str| {
            let found = case.columns.iter().find(|(column, _)| column == name);
            found.map_or(Cell::Empty, |(_, text)| Cell::from(text))
        };
        // As text, a number in single precision has as few digits as it needs.
        let features = (0..count).map(|place| Cell::from(row.as_ref().map(|row| row[place].to_string())));
        table.push(given.iter().map(cell).chain(features).collect())?;
    }
    Ok(table)
}

/// A network whose outputs are counted.
struct Counting {
    network: Predictor,
    progress: Counted,
}

impl FeatureExtractor for Counting {
    fn backbone(&self) -> Backbone {
        self.network.backbone()
    }

    fn preparation(&self) -> Preparation {
        self.network.preparation()
    }

    fn stages(&self) -> Vec<&str> {
        self.network.stages()
    }

    fn output(&self, input: Tensor, stage: &str) -> alnm_deep::Result<Tensor> {
        let output = self.network.output(input, stage);
        self.progress.advance();
        output
    }

    fn input(&self, image: &Array2<f32>) -> alnm_deep::Result<Tensor> {
        self.network.input(image)
    }
}

/// How a map is made.
#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum Method {
    /// Activations of a stage, weighted by their mean gradients.
    GradCam,
    /// Activations of a stage, weighted by their positive gradients.
    GradCamPlusPlus,
    /// The output's fall when a square of the crop is covered by the crop's mean.
    Occlusion,
}

/// Write where in a lesion a network's output comes from: a map on the grid of the image.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples: alnm grad-cam image.nii.gz mask.nii.gz map.nii.gz --weights network.safetensors
          alnm grad-cam image.nii.gz mask.nii.gz map.nii.gz --weights network.safetensors --method occlusion --square 32 --stride 8

The map lies on the largest axial section of the mask, 0 elsewhere. Class activation maps are 1 where the network looks most;
an occlusion map is in units of the output, negative where covering raises it.")]
pub(crate) struct GradCam {
    /// Image file or DICOM folder.
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Mask of the lesion.
    #[arg(value_name = "MASK")]
    mask: PathBuf,
    #[command(flatten)]
    output: OutputFile,
    #[command(flatten)]
    weights: Weights,
    #[command(flatten)]
    lesion: LesionChoice,
    /// Output that is explained, of the 1000; without it the logit of a fine-tuned network.
    #[arg(long, value_name = "N")]
    index: Option<usize>,
    /// How the map is made.
    #[arg(long, value_enum, default_value = "grad-cam")]
    method: Method,
    /// Stage of the network whose activations are weighted; the last one by default.
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
    /// Pixels of the crop on a side of the covered square.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    square: u16,
    /// Pixels of the crop from one covered square to the next, at most.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    stride: u16,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    written: ImageOutput,
}

impl GradCam {
    pub(crate) fn run(self) -> Result<()> {
        require(
            self.stage.is_none() || self.method != Method::Occlusion,
            "--stage chooses activations, which an occlusion map does not use; leave it away",
        )?;
        self.written.check([&*self.output])?;
        self.threads.start()?;
        let activity = Activity::start("reading");
        let network = network_of(&self.weights.weights, self.weights.backbone)?;
        let (output, index) = match (self.index, network.head()) {
            (Some(index), _) => ("fc", index),
            (None, Head::Logit) => ("head", 0),
            (None, _) => bail!("the network has no logit; name one of its 1000 outputs with --index"),
        };
        let (crop, image) = self.lesion.crop(&self.image, &self.mask, self.weights.side)?;
        activity.next("mapping");
        let map = match self.method {
            Method::GradCam => self.activation_map(&network, &crop, (output, index), ChannelWeights::Gradient)?,
            Method::GradCamPlusPlus => {
                self.activation_map(&network, &crop, (output, index), ChannelWeights::GradientPlusPlus)?
            }
            Method::Occlusion => self.occlusion_map(&network, &crop, (output, index))?,
        };
        let volume = crop.map_to_volume(&map, image.geometry())?;
        activity.next("writing");
        self.written.write(&self.output, &Image::F32(volume))?;
        activity.finish();
        Ok(())
    }

    fn occlusion_map(
        &self,
        network: &Network,
        crop: &LesionCrop,
        (output, index): (&str, usize),
    ) -> Result<Array2<f32>> {
        let options =
            OcclusionOptions::default().with_output(output, index).with_square(self.square.into(), self.stride.into());
        let (rows, columns) = crop.pixels().dim();
        let parts = rows.div_ceil(options.stride) * columns.div_ceil(options.stride);
        // The whole image comes before its covered parts.
        let network = Counting { network: Predictor::new(network), progress: Counted::start("images", parts + 1) };
        Ok(occlusion_map(&network, crop.pixels(), &options)?)
    }

    fn activation_map(
        &self,
        network: &Network,
        crop: &LesionCrop,
        (output, index): (&str, usize),
        weights: ChannelWeights,
    ) -> Result<Array2<f32>> {
        let mut options = GradCamOptions::default().with_output(output, index).with_weights(weights);
        options.stage.clone_from(&self.stage);
        let input = network.preparation().apply(crop.pixels().view())?;
        Ok(grad_cam(network, &input, &options)?)
    }
}
