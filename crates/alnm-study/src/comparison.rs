//! Comparisons of the study with variants of it: with features harmonised between scanners, and with other networks.

use alnm_deep::Backbone;
use alnm_models::LogisticParams;
use alnm_models::model_set::{ModelSet, ModelSpecification};
use alnm_selection::FeatureTable;
use alnm_selection::harmonisation::{BatchEstimation, Combat};
use alnm_stats::delong::{AucEstimate, auc_estimate};
use alnm_stats::roc::{Direction, RocCurve};
use anyhow::{Context, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::analysis::{FoldInputs, INTEGRATED, LEVEL};
use crate::cohort::{Cohort, Patient};
use crate::cross_fit::CrossFit;
use crate::deep::{FineTuning, NetworkFeatures};
use crate::images::CohortFeatures;
use crate::progress::Progress;
use crate::scores::ScoreInputs;
use crate::store::{Fingerprint, Store};
use crate::study::Study;
use crate::table::{CohortTable, FOLDS};
use crate::ten_models::specifications;

/// The models that are compared: of the scores alone, and of everything.
const COMPARED: [&str; 3] = ["Rad", "DL", INTEGRATED];
/// Fewest patients of a scanner whose location and scale ComBat can estimate.
const FEWEST_OF_A_SCANNER: usize = 10;

/// A model's areas under one way of preparing the features.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparedAreas {
    /// How the features were prepared.
    pub features: String,
    /// Name of the model.
    pub model: String,
    /// Area in the training centre, on the patients it was fitted to.
    pub training: AucEstimate,
    /// Area in the training centre, preparation, selection, scores and models fitted without the judged patients.
    pub cross_fitted: AucEstimate,
    /// Area in each validation centre.
    pub validation: Vec<AucEstimate>,
}

/// The study with and without harmonisation between scanners.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HarmonisationComparison {
    /// Scanners with their number of training and validation patients.
    pub scanners: Vec<(String, usize, usize)>,
    /// What was done, in words, or why nothing could be.
    pub remark: String,
    /// The models without and with harmonisation; empty where it could not be done.
    pub areas: Vec<ComparedAreas>,
}

/// The study with another network.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackboneComparison {
    /// torchvision's name of the network.
    pub backbone: String,
    /// The file of weights that it started from; a seeded initialisation where absent.
    pub weights: Option<String>,
    /// Areas of the models that hold deep features. One network was fine-tuned on all training patients, so that
    /// cross-fitted figures are of selection, scores and models alone.
    pub areas: Vec<ComparedAreas>,
}

/// Features by which a comparison fits: for all training patients, and for each fold with the rows that may be learned
/// from.
struct FeaturePreparation<'a> {
    name: &'a str,
    of_all: ScoreInputs,
    of_fold: &'a (dyn Fn(usize, &[usize]) -> Result<ScoreInputs> + Sync),
}

fn compared_areas(
    table: &CohortTable<'_>,
    preparation: &FeaturePreparation<'_>,
    models: &[&str],
    seed: u64,
    progress: &Progress,
) -> Result<Vec<ComparedAreas>> {
    let specifications: Vec<ModelSpecification> =
        specifications().into_iter().filter(|specification| models.contains(&specification.name.as_str())).collect();
    let (rows, labels) = (table.training(), table.training_labels());
    let variables = table.with_scores(&preparation.of_all.fitted_scores(rows, &labels)?)?;
    let fitted = ModelSet::fit(&specifications, &variables.select_rows(rows), &labels, &LogisticParams::default())?;
    let folds = table.folds(seed)?;
    let cross_fit = CrossFit { table, rows, folds: &folds, inputs: preparation.of_fold, progress, advance: &|| () };
    let out_of_fold = cross_fit.risks(&specifications)?;
    let area = |rows: &[usize], risks: &[f64]| -> Result<AucEstimate> {
        let roc = RocCurve::new(&table.labels(rows), risks, Direction::HigherIsPositive)?;
        Ok(auc_estimate(&roc, LEVEL)?)
    };
    let areas_of = |(index, specification): (usize, &ModelSpecification)| -> Result<ComparedAreas> {
        let model = fitted.model(&specification.name)?.model();
        let fresh = |rows: &[usize]| area(rows, &model.predict(&variables.select_rows(rows))?);
        Ok(ComparedAreas {
            features: preparation.name.to_owned(),
            model: specification.name.clone(),
            training: fresh(rows)?,
            cross_fitted: area(rows, &out_of_fold[0][index])?,
            validation: table.validation().map(|(_, rows)| fresh(&rows)).collect::<Result<_>>()?,
        })
    };
    specifications.iter().enumerate().map(areas_of).collect()
}

impl Patient {
    /// The scanner: the column `scanner` of `patients.csv`, or the centre where there is none.
    #[must_use]
    pub fn scanner(&self) -> &str {
        self.further.get("scanner").filter(|name| !name.is_empty()).unwrap_or(&self.centre)
    }
}

/// The features of all patients by ComBat fitted to the given rows.
///
/// Scanners among the rows are brought onto their common mean and scale; a single one is the reference and stays as it
/// is. Location and scale of every other scanner are estimated from the features of its own patients, whose outcomes
/// are not used, as none are anywhere in it: nothing that is learned from the rows depends on them.
///
/// # Errors
/// When a scanner has fewer than two patients.
pub fn harmonised(inputs: &ScoreInputs, scanners: &[String], rows: &[usize]) -> Result<ScoreInputs> {
    Ok(ScoreInputs {
        radiomic: harmonised_table(&inputs.radiomic, scanners, rows)?,
        deep: harmonised_table(&inputs.deep, scanners, rows)?,
        ..inputs.clone()
    })
}

/// Features that are undefined for some patient stay as they are.
fn harmonised_table(table: &FeatureTable, scanners: &[String], rows: &[usize]) -> Result<FeatureTable> {
    let is_defined = |column: &usize| table.values().column(*column).iter().all(|value| value.is_finite());
    let (defined, undefined): (Vec<usize>, Vec<usize>) = (0..table.columns()).partition(is_defined);
    if undefined.is_empty() {
        return combat(table, scanners, rows);
    }
    let changed = combat(&table.select_columns(&defined), scanners, rows)?;
    Ok(changed.beside(&table.select_columns(&undefined))?.select(table.names())?)
}

fn combat(table: &FeatureTable, scanners: &[String], rows: &[usize]) -> Result<FeatureTable> {
    let estimation = BatchEstimation::EmpiricalBayes;
    let none = |rows: usize| FeatureTable::new(Vec::new(), Array2::zeros((rows, 0)));
    let training = table.select_rows(rows);
    let of_rows: Vec<String> = rows.iter().map(|&row| scanners[row].clone()).collect();
    let mut combat = match of_rows.first() {
        Some(first) if of_rows.iter().all(|scanner| scanner == first) => Combat::reference(&training, first)?,
        _ => Combat::fit(&training, &of_rows, &none(rows.len())?, estimation)?,
    };
    for (row, scanner) in scanners.iter().enumerate() {
        if !combat.batches().contains(scanner) {
            let patients: Vec<usize> = (row..scanners.len()).filter(|&other| scanners[other] == *scanner).collect();
            combat = combat
                .with_batch(&table.select_rows(&patients), scanner, estimation)
                .with_context(|| format!("ComBat for scanner {scanner} with {} patients", patients.len()))?;
        }
    }
    Ok(combat.apply(table, scanners, &none(scanners.len())?)?)
}

/// Scanners in order of appearance with their number of training and validation patients.
fn count_scanners(cohort: &Cohort) -> Vec<(String, usize, usize)> {
    let mut scanners: Vec<(String, usize, usize)> = Vec::new();
    for patient in &cohort.patients {
        let place = scanners.iter().position(|(name, ..)| name == patient.scanner()).unwrap_or_else(|| {
            scanners.push((patient.scanner().to_owned(), 0, 0));
            scanners.len() - 1
        });
        let (_, training, validation) = &mut scanners[place];
        *(if patient.centre == cohort.description.training_centre { training } else { validation }) += 1;
    }
    scanners
}

/// Why ComBat cannot be fitted, or what it does with these scanners.
fn plan(scanners: &[(String, usize, usize)]) -> Result<String, String> {
    if scanners.len() < 2 {
        return Err("All images come from one scanner: there is nothing to harmonise.".to_owned());
    }
    for (name, training, validation) in scanners {
        let count = if *training > 0 { *training } else { *validation };
        if count < FEWEST_OF_A_SCANNER {
            let centre = if *training > 0 { "training" } else { "validation" };
            return Err(format!(
                "Not done: scanner {name} has {count} {centre} patients, and at least {FEWEST_OF_A_SCANNER} are needed."
            ));
        }
    }
    let inside: Vec<&str> =
        scanners.iter().filter(|(_, training, _)| *training > 0).map(|(name, ..)| name.as_str()).collect();
    let outside: Vec<&str> =
        scanners.iter().filter(|(_, training, _)| *training == 0).map(|(name, ..)| name.as_str()).collect();
    let fitted = if inside.len() == 1 {
        format!("The training centre has one scanner ({}), which is the reference and stays as it is.", inside[0])
    } else {
        format!(
            "ComBat was fitted between the training centre's scanners ({}) on training rows, anew in each fold.",
            inside.join(", ")
        )
    };
    let added = if outside.is_empty() {
        String::new()
    } else {
        format!(
            " No training patient was imaged by {}: location and scale were estimated from the features of its own patients, without \
             their outcomes, and brought onto those of training. A clinic needs a series of its own patients for that, not one, and a \
             true difference between the centres' patients is taken out with the scanner's.",
            outside.join(", ")
        )
    };
    Ok(fitted + &added)
}

impl Study {
    /// RadScore, DLScore and the integrated model with and without ComBat between scanners (features of both kinds,
    /// empirical Bayes, no covariates).
    ///
    /// # Errors
    /// What a model or a statistic goes wrong with.
    pub fn harmonisation(
        &mut self,
        table: &CohortTable<'_>,
        inputs: &ScoreInputs,
        folds: &FoldInputs<'_>,
    ) -> Result<HarmonisationComparison> {
        let cohort = table.cohort();
        let scanners = count_scanners(cohort);
        let remark = match plan(&scanners) {
            Err(remark) => return Ok(HarmonisationComparison { scanners, remark, areas: Vec::new() }),
            Ok(remark) => remark,
        };
        let step = self.progress().begin("ComBat between scanners", 2);
        let of_patients: Vec<String> = cohort.patients.iter().map(|patient| patient.scanner().to_owned()).collect();
        let seed = self.settings.seed;
        let mut fingerprint = comparison_inputs(table, inputs, seed)?.parameters(&of_patients)?;
        for fold in 0..FOLDS {
            fingerprint = fingerprint.numbers(folds.deep(fold).values().iter().copied());
        }
        let fingerprint = fingerprint.finish();
        let areas = Store::open(&self.settings.out, "comparisons")?.item("harmonisation", &fingerprint, || {
            let mut areas = compared_areas(
                table,
                &FeaturePreparation {
                    name: "as they are",
                    of_all: inputs.clone(),
                    of_fold: &|fold, _| Ok(folds.of_fold(fold)),
                },
                &COMPARED,
                seed,
                self.progress(),
            )?;
            step.advance();
            areas.extend(compared_areas(
                table,
                &FeaturePreparation {
                    name: "ComBat",
                    of_all: harmonised(inputs, &of_patients, table.training())?,
                    of_fold: &|fold, rows| harmonised(&folds.of_fold(fold), &of_patients, rows),
                },
                &COMPARED,
                seed,
                self.progress(),
            )?);
            step.advance();
            Ok(areas)
        })?;
        step.finish(&mut self.costs);
        Ok(HarmonisationComparison { scanners, remark, areas })
    }

    /// With `--compare-backbones`, ResNet18, ResNet50, ResNet101 and VGG16 in turn fine-tuned as the study's network
    /// is, and their vectors selected in the same way; empty without it. Finished networks are kept.
    ///
    /// # Errors
    /// As [`Study::deep_features`].
    pub fn backbones(
        &mut self,
        table: &CohortTable<'_>,
        images: &CohortFeatures,
        inputs: &ScoreInputs,
        own: &NetworkFeatures,
    ) -> Result<Vec<BackboneComparison>> {
        const BACKBONES: [Backbone; 4] = [Backbone::ResNet18, Backbone::ResNet50, Backbone::ResNet101, Backbone::Vgg16];
        if !self.settings.compare_backbones {
            return Ok(Vec::new());
        }
        let seed = self.settings.seed;
        let mut compared = Vec::new();
        for backbone in BACKBONES {
            self.progress().check_interrupt()?;
            let is_own = backbone == self.settings.backbone_size.backbone();
            let weights = if is_own { self.settings.weights.clone() } else { self.settings.weights_of(backbone) };
            let title = format!("fine-tuning of {backbone}");
            let tuning = FineTuning {
                backbone,
                weights: weights.as_deref(),
                rows: table.training(),
                folder: "backbones",
                key: backbone.name(),
                title: &title,
                keep_network: false,
            };
            let features = if is_own { own.clone() } else { self.fine_tuned(table.cohort(), images, &tuning)? };
            let with_backbone = ScoreInputs { deep: features.table()?, ..inputs.clone() };
            let fingerprint = comparison_inputs(table, &with_backbone, seed)?.finish();
            let key = format!("{backbone}_areas");
            let areas = Store::open(&self.settings.out, "comparisons")?.item(&key, &fingerprint, || {
                let of_fold = |_: usize, _: &[usize]| Ok(with_backbone.clone());
                let preparation =
                    FeaturePreparation { name: backbone.name(), of_all: with_backbone.clone(), of_fold: &of_fold };
                compared_areas(table, &preparation, &["DL", INTEGRATED], seed, self.progress())
            })?;
            let weights =
                weights.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
            compared.push(BackboneComparison { backbone: backbone.name().to_owned(), weights, areas });
        }
        Ok(compared)
    }
}

/// A name for everything that areas depend on.
fn comparison_inputs(table: &CohortTable<'_>, inputs: &ScoreInputs, seed: u64) -> Result<Fingerprint> {
    let cohort = table.cohort();
    let everyone: Vec<usize> = (0..cohort.patients.len()).collect();
    let centres: Vec<&String> = cohort.patients.iter().map(|patient| &patient.centre).collect();
    let names = (inputs.radiomic.names(), inputs.deep.names());
    Ok(Fingerprint::default()
        .parameters(&(&cohort.description, centres, table.labels(&everyone), seed, names))?
        .parameters(&(&inputs.radiomic_pipeline, &inputs.deep_pipeline))?
        .numbers(table.clinical().values().iter().copied())
        .numbers(inputs.radiomic.values().iter().copied())
        .numbers(inputs.deep.values().iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner(name: &str, training: usize, validation: usize) -> (String, usize, usize) {
        (name.to_owned(), training, validation)
    }

    #[test]
    fn what_is_done_with_scanners_is_said_as_it_is() {
        let several = plan(&[scanner("x", 40, 3), scanner("y", 20, 0), scanner("z", 0, 15)]).unwrap();
        assert!(
            several.contains("between the training centre's scanners (x, y)") && several.contains("imaged by z:"),
            "{several}"
        );
        let one = plan(&[scanner("x", 40, 0), scanner("z", 0, 15)]).unwrap();
        assert!(one.contains("one scanner (x)"), "{one}");
        assert!(!plan(&[scanner("x", 40, 9), scanner("y", 20, 0)]).unwrap().contains("No training patient"));
        assert!(plan(&[scanner("x", 40, 9)]).unwrap_err().contains("nothing to harmonise"));
        assert!(
            plan(&[scanner("x", 40, 0), scanner("z", 0, 9)])
                .unwrap_err()
                .contains("scanner z has 9 validation patients")
        );
        assert!(
            plan(&[scanner("x", 40, 0), scanner("y", 9, 90)])
                .unwrap_err()
                .contains("scanner y has 9 training patients")
        );
    }

    #[test]
    fn a_new_scanner_is_brought_onto_training_which_stays_as_it_is() {
        let scanners: Vec<String> = (0..30).map(|row| if row < 18 { "a" } else { "b" }.to_owned()).collect();
        let values = Array2::from_shape_fn((30, 3), |(row, column)| {
            let value = ((row * (5 * column + 3)) % 17) as f64;
            if row < 18 { value } else { 100.0 + 4.0 * value }
        });
        let table = FeatureTable::new(["u", "v", "w"].map(str::to_owned).to_vec(), values).unwrap();
        let rows: Vec<usize> = (0..18).collect();
        let harmonised = harmonised_table(&table, &scanners, &rows).unwrap();
        for row in 0..18 {
            for column in 0..3 {
                assert!((harmonised.values()[[row, column]] - table.values()[[row, column]]).abs() < 1e-12);
            }
        }
        let mean = |from: usize, to: usize, column: usize| {
            (from..to).map(|row| harmonised.values()[[row, column]]).sum::<f64>() / (to - from) as f64
        };
        (0..3).for_each(|column| assert!((mean(0, 18, column) - mean(18, 30, column)).abs() < 2.0, "{column}"));
    }

    #[test]
    fn scanners_of_training_are_harmonised_by_the_given_rows_alone() {
        let scanners: Vec<String> = (0..30).map(|row| if row % 2 == 0 { "a" } else { "b" }.to_owned()).collect();
        let values = |changed: f64| {
            Array2::from_shape_fn((30, 3), |(row, column)| {
                let value = ((row * (5 * column + 3)) % 17) as f64 + if row % 2 == 0 { 0.0 } else { 50.0 };
                if row < 24 { value } else { value * changed }
            })
        };
        let table = |changed| FeatureTable::new(["u", "v", "w"].map(str::to_owned).to_vec(), values(changed)).unwrap();
        let rows: Vec<usize> = (0..24).collect();
        let of = |changed| harmonised_table(&table(changed), &scanners, &rows).unwrap().select_rows(&rows);
        assert_eq!(of(1.0), of(9.0));
        let mean = |table: &FeatureTable, odd: usize| {
            (0..12).map(|row| table.values()[[2 * row + odd, 0]]).sum::<f64>() / 12.0
        };
        assert!((mean(&of(1.0), 0) - mean(&of(1.0), 1)).abs() < 1.0);
    }
}
