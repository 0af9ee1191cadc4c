//! `alnm fine-tune` and `alnm deep-predict`: a network taught by the cases of a list, and its probabilities.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use alnm_deep::{
    Backbone, ClassWeights, DeepError, Ensemble, EnsembleParams, EpochRecord, Example, Head, Initialisation, Network,
    NormMoments, ParameterGroup, Predictor, TrainingEvent, TrainingParams, Views, probabilities,
};
use alnm_stats::data_table::{Cell, DataTable};
use anyhow::{Context, Result, ensure};
use clap::builder::RangedU64ValueParser;
use ndarray::Array2;

use crate::deep::{LesionCase, Lesions, write_rows};
use crate::exit::{interrupted, wrong_value};
use crate::input::refuse_standard_input;
use crate::interrupt;
use crate::messages;
use crate::output::{Overwriting, require_folder};
use crate::progress::Counted;

/// How a network learns.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of the training")]
struct TrainingOptions {
    /// Passes over the images, at most.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    epochs: usize,
    /// Images per training step (batch size).
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = RangedU64ValueParser::<usize>::new().range(2..=1024))]
    batch_size: usize,
    /// Highest learning rate of the schedule.
    #[arg(long, value_name = "X", default_value_t = 1e-4)]
    learning_rate: f64,
    /// Epochs at the beginning in which the last layer alone learns.
    #[arg(long, value_name = "N", conflicts_with = "gradual_unfreezing")]
    freeze_epochs: Option<usize>,
    /// Gradual unfreezing: the last part of the network learns first, and every so many epochs the part before it
    /// begins to learn as well.
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    gradual_unfreezing: Option<usize>,
    /// Factor on the learning rate from each part to the one before it, with --gradual-unfreezing.
    #[arg(long, value_name = "X", default_value_t = 1.0, requires = "gradual_unfreezing")]
    rate_decay: f64,
    /// Normalise by the statistics that the network has, and leave them as they are.
    #[arg(long)]
    frozen_norms: bool,
    /// How much cases without and with the event weigh: `balanced`, `none`, or two numbers such as 1,3.
    #[arg(long, value_name = "WEIGHTS", default_value = "balanced", value_parser = class_weights)]
    class_weights: ClassWeights,
    /// Label smoothing s: labels become s/2 and 1 - s/2.
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    label_smoothing: f64,
    /// Mix the images of a batch by pairs (mixup), shares drawn from Beta(A, A); 0.2 to 0.4 is common.
    #[arg(long, value_name = "A")]
    mixup: Option<f64>,
    /// Share of the cases held out to choose the best epoch.
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    validation_fraction: f64,
    /// Folds of the cases over which the number of epochs is chosen; the network then learns from all.
    #[arg(long, value_name = "K", conflicts_with = "validation_fraction")]
    inner_folds: Option<usize>,
    /// Epochs without a lower loss of held-out cases after which training stops.
    #[arg(long, value_name = "N")]
    patience: Option<usize>,
    /// Networks of different seeds whose probabilities are averaged (deep ensemble).
    #[arg(long, value_name = "N", default_value_t = 1)]
    members: usize,
    /// Scale the logits by a temperature, so that probabilities are calibrated; fitted to out-of-fold logits.
    #[arg(long, requires = "inner_folds")]
    calibrate: bool,
    /// Seed; that of the first network, the next ones have the next seeds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

fn class_weights(text: &str) -> Result<ClassWeights, String> {
    match text {
        "balanced" => Ok(ClassWeights::Balanced),
        "none" => Ok(ClassWeights::None),
        _ => {
            let numbers: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
            match numbers.as_deref() {
                Some(&[negative, positive]) => Ok(ClassWeights::Given([negative, positive])),
                _ => Err("it must be balanced, none, or two numbers such as 1,3".to_owned()),
            }
        }
    }
}

impl TrainingOptions {
    fn params(&self, backbone: Backbone) -> EnsembleParams {
        let groups = match (self.freeze_epochs, self.gradual_unfreezing) {
            (Some(epochs), _) => ParameterGroup::head_first(epochs),
            (None, Some(epochs)) => ParameterGroup::gradual_unfreezing(backbone, epochs, self.rate_decay),
            (None, None) => Vec::new(),
        };
        let mut training = TrainingParams::default()
            .with_epochs(self.epochs)
            .with_batch_size(self.batch_size)
            .with_learning_rate(self.learning_rate)
            .with_groups(groups)
            .with_norm_moments(if self.frozen_norms { NormMoments::Running } else { NormMoments::Batch })
            .with_class_weights(self.class_weights)
            .with_label_smoothing(self.label_smoothing)
            .with_validation_fraction(self.validation_fraction)
            .with_seed(self.seed);
        training.mixup = self.mixup;
        training.inner_folds = self.inner_folds;
        training.patience = self.patience;
        let mut params = EnsembleParams::default().with_members(self.members).with_training(training);
        params.calibrated = self.calibrate;
        params
    }
}

/// Teach a network a yes-or-no outcome by the images of lesions.
///
/// The network sees the rectangle around the largest axial section of each mask at 1 mm, 3 mm around it, its grey
/// values from the 1st to the 99th percentile brought to the range of 0 to 1. One network without --calibrate is
/// written as a network that deep-features and grad-cam read too, several or a calibrated one as an ensemble.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples: alnm fine-tune cases.csv --outcome alnm --weights resnet50.pth --out network.safetensors
          alnm fine-tune cases.csv --outcome alnm --weights resnet50.pth --epochs 20 --inner-folds 5 --patience 4 --freeze-epochs 2 \\
              --members 5 --calibrate --checkpoints work --curves curves.csv --out ensemble.safetensors

cases.csv has the columns Image and Mask and that of the outcome, which is 1 (or true, yes) or 0 (false, no): a row for each patient.

Research software, not a medical device."
)]
pub(crate) struct FineTune {
    #[command(flatten)]
    lesions: Lesions,
    /// Column of the outcome.
    #[arg(long, value_name = "NAME")]
    outcome: String,
    /// Weights to begin with: torchvision's parameters as safetensors or .pth; without them training begins with random
    /// ones.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// The network: resnet18, resnet34, resnet50, resnet101, vgg16 or densenet121.
    #[arg(long, value_name = "NAME", default_value = "resnet50")]
    backbone: Backbone,
    /// Pixels on a side of the crop that the network sees.
    #[arg(long, value_name = "N", default_value_t = 224, value_parser = clap::value_parser!(u16).range(32..=1024))]
    side: u16,
    #[command(flatten)]
    training: TrainingOptions,
    /// File for the trained network or networks.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// File for the losses of every epoch (CSV).
    #[arg(long, value_name = "FILE")]
    curves: Option<PathBuf>,
    /// Folder that keeps the state of the training; the same command goes on from it to the same result.
    #[arg(long, value_name = "DIR")]
    checkpoints: Option<PathBuf>,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

impl FineTune {
    pub(crate) fn run(self) -> Result<()> {
        self.overwriting.check_files([Some(self.out.as_path()), self.curves.as_deref()].into_iter().flatten())?;
        crate::output::refuse_stream(&self.out, "network")?;
        self.weights.as_deref().map_or(Ok(()), |path| refuse_standard_input(path, "weights"))?;
        let training = self.training.params(self.backbone).check().map_err(wrong_value)?;
        self.threads.start()?;
        let kept = self.checkpoints.as_deref().map(what_is_kept).transpose()?;
        kept.iter().for_each(interrupt::keeps);
        let examples = self.examples()?;
        let start = |seed: u64| {
            let initialisation = Initialisation::new(seed).with_zero_residual(true);
            let mut network = Network::initialised(self.backbone, Head::Logit, initialisation);
            self.weights.as_ref().map(|weights| network.load_weights(weights)).transpose()?;
            Ok(network)
        };
        // Steps are those of one member; the members follow one another.
        let members = training.params().members;
        let progress = Counted::start("steps", 0);
        // Without a folder there is nothing to wait for.
        let stop = kept.is_some().then(interrupt::stop_by_itself);
        let trained = training.run(&start, &examples, self.checkpoints.as_deref(), &mut |member, event| {
            match event {
                TrainingEvent::Step { done, total, loss } => {
                    progress.set(member * total + done, members * total, &format!("loss {loss:.4}"));
                    // After an epoch its state is written first.
                    if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                        return ControlFlow::Break(());
                    }
                }
                TrainingEvent::Epoch(record) => messages::detail(format_args!("{}", said(member, record))),
                _ => {}
            }
            ControlFlow::Continue(())
        });
        progress.finish();
        interrupt::stop_at_once();
        let ensemble = trained.map_err(|error| match (error, kept) {
            (DeepError::Cancelled { .. }, Some(kept)) => interrupted(&kept),
            (error, _) => error.into(),
        })?;
        if let Some(curves) = &self.curves {
            self.overwriting.write_file(curves, curves_of(&ensemble)?.to_csv().as_bytes())?;
        }
        let _whole = interrupt::while_writing();
        match (ensemble.members(), ensemble.temperature()) {
            ([trained], None) => trained.save(&self.out)?,
            _ => ensemble.save(&self.out)?,
        }
        Ok(())
    }

    /// The crops with their outcomes; a case that cannot be read is an error, since a network would silently learn
    /// without it.
    fn examples(&self) -> Result<Vec<Example>> {
        let cases = self.lesions.cases()?;
        let progress = Counted::start("images", cases.len());
        let examples = cases.iter().zip(1..).map(|(case, number)| {
            let label = self.outcome(case).with_context(|| format!("case {number}"))?;
            let pixels = case.pixels(self.side).with_context(|| format!("case {number}"))?;
            progress.advance();
            Ok(Example::new(pixels, label))
        });
        let examples = examples.collect::<Result<Vec<Example>>>()?;
        progress.finish();
        Ok(examples)
    }

    fn outcome(&self, case: &LesionCase) -> Result<bool> {
        let name = &self.outcome;
        let (_, text) = case.columns.iter().find(|(column, _)| column == name).with_context(|| {
            format!("{} has no column {name}; --outcome names one of its columns", self.lesions.input.display())
        })?;
        match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" => Ok(true),
            "0" | "false" | "no" => Ok(false),
            _ => anyhow::bail!("{name} is {text:?}; it must be 1 (true, yes) or 0 (false, no)"),
        }
    }
}

/// Makes the folder for the state of a training. Returns what an interruption says of it.
fn what_is_kept(folder: &Path) -> Result<String> {
    require_folder(folder)?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(format!("epochs that are done are kept in {}; the same command goes on", folder.display()))
}

fn said(member: usize, record: &EpochRecord) -> String {
    let held_out = record.validation_loss().map_or_else(String::new, |loss| format!(", of held-out images {loss:.4}"));
    format!("network {}, epoch {}: loss {:.4}{held_out}", member + 1, record.epoch() + 1, record.training_loss())
}

/// A row for each epoch of each network, and of the trainings without each inner fold.
fn curves_of(ensemble: &Ensemble) -> Result<DataTable> {
    let names = [
        "network",
        "fold",
        "epoch",
        "learning_rate",
        "training_loss",
        "training_auc",
        "validation_loss",
        "validation_auc",
    ];
    let mut curves = DataTable::new(names.map(str::to_owned))?;
    for (network, trained) in (1..).zip(ensemble.members()) {
        let folds = trained.inner_folds().into_iter().flat_map(|inner| (1..).zip(inner.curves()));
        let folds = folds.map(|(fold, curve)| (Some(fold), curve.as_slice()));
        for (fold, curve) in folds.chain([(None, trained.history())]) {
            for record in curve {
                let number = |value: f64| Cell::from(value.to_string());
                let optional = |value: Option<f64>| value.map_or(Cell::Empty, number);
                curves.push(vec![
                    Cell::from(network.to_string()),
                    fold.map_or(Cell::Empty, |fold: u32| Cell::from(fold.to_string())),
                    Cell::from((record.epoch() + 1).to_string()),
                    number(record.learning_rate()),
                    number(record.training_loss()),
                    number(record.training_auc()),
                    optional(record.validation_loss()),
                    optional(record.validation_auc()),
                ])?;
            }
        }
    }
    Ok(curves)
}

/// Write the probability of the outcome for each lesion by a network that fine-tune or a study has taught, as a CSV
/// file.
///
/// Of an ensemble, the table has the probability of every network too.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: alnm deep-predict cases.csv --weights ensemble.safetensors --average-flips --out probabilities.csv

cases.csv has the columns Image and Mask; other columns are copied.

Research software, not a medical device."
)]
pub(crate) struct DeepPredict {
    #[command(flatten)]
    lesions: Lesions,
    /// The network or the ensemble.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Pixels on a side of the crop, as in the training.
    #[arg(long, value_name = "N", default_value_t = 224, value_parser = clap::value_parser!(u16).range(32..=1024))]
    side: u16,
    /// Average over the crop and its mirror images.
    #[arg(long)]
    average_flips: bool,
    /// File for the table (CSV); `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

/// What gives probabilities.
enum Taught {
    One(Box<Predictor>),
    Several(Box<Ensemble>),
}

impl Taught {
    fn read(path: &Path) -> Result<Self> {
        refuse_standard_input(path, "weights")?;
        if Ensemble::is_at(path) {
            return Ok(Self::Several(Box::new(Ensemble::load(path)?)));
        }
        let network = Network::load(path)?;
        ensure!(
            network.head() == Head::Logit,
            "{} has no outcome; name a network that fine-tune or a study has taught",
            path.display()
        );
        Ok(Self::One(Box::new(Predictor::new(&network))))
    }

    /// The probability, and those of the networks of an ensemble behind it.
    fn probabilities(&self, pixels: Array2<f32>, views: Views) -> Result<Vec<f64>> {
        Ok(match self {
            Self::One(predictor) => probabilities(predictor.as_ref(), &[pixels], views)?,
            Self::Several(ensemble) => {
                let prediction = ensemble.predict(&[pixels], views)?.remove(0);
                [vec![prediction.probability], prediction.members].concat()
            }
        })
    }
}

impl DeepPredict {
    pub(crate) fn run(self) -> Result<()> {
        self.overwriting.check_files([self.out.as_path()])?;
        self.threads.start()?;
        let cases = self.lesions.cases()?;
        let taught = Taught::read(&self.weights)?;
        let views = if self.average_flips { Views::Flips } else { Views::One };
        let of_case = |case: &LesionCase| taught.probabilities(case.pixels(self.side)?, views);
        let name = |place: usize| if place == 0 { "probability".to_owned() } else { format!("probability_{place}") };
        write_rows(&cases, of_case, name, &self.out, &self.overwriting)
    }
}
