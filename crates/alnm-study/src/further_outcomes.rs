//! Models of the nodal stage, the number of positive nodes and the time to a recurrence, where the table of patients
//! has them: from the same variables and scores as the models of metastasis.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use alnm_models::count::{CountFamily, CountModel, CountParams};
use alnm_models::cox::{CoxModel, CoxParams};
use alnm_models::logistic::Term;
use alnm_models::model_set::ModelSpecification;
use alnm_models::performance::{
    OutcomePerformance, count_performance, ordinal_outcome_performance, time_to_event_performance,
};
use alnm_models::proportional_odds::{OrderedOutcome, ProportionalOdds, ProportionalOddsParams};
use alnm_models::{FollowUp, ModelError};
use alnm_selection::FeatureTable;
use anyhow::{Context, Result};
use ndarray::Array2;
use serde::Serialize;

use crate::analysis::{CROSS_FITTED, FoldInputs, INTEGRATED, LEVEL};
use crate::cohort::{NodalStage, Patient, Recurrence};
use crate::cross_fit::{CrossFit, FoldVariables};
use crate::study::Study;
use crate::table::CohortTable;
use crate::ten_models::specifications;

/// Names of the models that are fitted to each further outcome, of those of metastasis.
const MODELS: [&str; 2] = ["Clinical", INTEGRATED];

/// A model of a further outcome.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct OutcomeModel {
    /// The outcome in words.
    pub outcome: String,
    /// The name of the model.
    pub model: String,
    /// Training patients whose outcome is known.
    pub patients: usize,
    /// Its coefficients, by name.
    pub coefficients: Vec<OutcomeCoefficient>,
    /// How good it is, cohort by cohort.
    pub performances: Vec<CohortPerformance>,
    /// Why it could not be fitted or judged, cohort by cohort.
    pub remarks: Vec<String>,
}

/// A coefficient of a model of a further outcome: a log odds ratio, log rate ratio or log hazard ratio per unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutcomeCoefficient {
    /// The variable.
    pub variable: String,
    /// The coefficient.
    pub estimate: f64,
    /// Lower end of its interval.
    pub lower: f64,
    /// Upper end of its interval.
    pub upper: f64,
    /// Wald's p.
    pub p_value: f64,
}

/// How good a model is in a cohort.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CohortPerformance {
    /// The cohort.
    pub cohort: String,
    /// Its measures.
    pub performance: OutcomePerformance,
}

/// Fewest training patients of a category, with a positive node, or with a recurrence.
const FEWEST: usize = 10;

/// A further outcome of all patients of a cohort; `None` where it is not known.
enum FurtherOutcome {
    Stage { categories: Vec<String>, of: Vec<Option<usize>> },
    Nodes(Vec<Option<u64>>),
    Recurrence { months: f64, of: Vec<Option<Recurrence>> },
}

/// A model of a further outcome.
enum FittedOutcome {
    Stage(ProportionalOdds),
    Nodes(CountModel),
    Recurrence { months: f64, model: CoxModel },
}

impl FittedOutcome {
    fn terms(&self) -> &[Term] {
        match self {
            Self::Stage(model) => model.coefficients(),
            Self::Nodes(model) => model.terms(),
            Self::Recurrence { model, .. } => model.terms(),
        }
    }

    /// Predictions of the rows of a table: the probability of each category, the mean count, or the risk of a
    /// recurrence by the time.
    fn predict(&self, table: &FeatureTable) -> Result<Vec<Vec<f64>>, ModelError> {
        Ok(match self {
            Self::Stage(model) => model.predict(table)?.columns().into_iter().map(|column| column.to_vec()).collect(),
            Self::Nodes(model) => vec![model.predict(table, None)?],
            Self::Recurrence { months, model } => vec![model.risk_at(table, *months)?],
        })
    }
}

impl FurtherOutcome {
    /// The further outcomes that some patient of the cohort has.
    fn of(table: &CohortTable<'_>) -> Vec<Self> {
        let cohort = table.cohort();
        fn known<T>(patients: &[Patient], value: impl Fn(&Patient) -> Option<T>) -> Option<Vec<Option<T>>> {
            let values: Vec<Option<T>> = patients.iter().map(value).collect();
            values.iter().any(Option::is_some).then_some(values)
        }
        let stages = known(&cohort.patients, |patient| patient.outcomes.nodal_stage);
        let nodes = known(&cohort.patients, |patient| patient.outcomes.positive_nodes.map(u64::from));
        let recurrences = known(&cohort.patients, |patient| patient.outcomes.recurrence);
        let months = cohort.description.design.survival_months;
        [
            stages.map(|stages| Self::joined_stages(&stages, table.training())),
            nodes.map(Self::Nodes),
            recurrences.map(|of| Self::Recurrence { months, of }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The stages as categories: one that fewer than [`FEWEST`] training patients have is joined with the one below it.
    fn joined_stages(stages: &[Option<NodalStage>], training: &[usize]) -> Self {
        let count = |range: &[NodalStage]| {
            training.iter().filter(|&&row| stages[row].is_some_and(|stage| range.contains(&stage))).count()
        };
        let mut groups: Vec<Vec<NodalStage>> = NodalStage::ALL.map(|stage| vec![stage]).to_vec();
        while let Some(place) = (1..groups.len()).rev().find(|&place| count(&groups[place]) < FEWEST) {
            let joined = groups.remove(place);
            groups[place - 1].extend(joined);
        }
        let name = |group: &Vec<NodalStage>| match group.as_slice() {
            [first, .., last] => format!("{first} to {last}"),
            [only] => only.to_string(),
            [] => String::new(),
        };
        Self::Stage {
            categories: groups.iter().map(name).collect(),
            of: stages
                .iter()
                .map(|stage| stage.and_then(|stage| groups.iter().position(|group| group.contains(&stage))))
                .collect(),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Stage { categories, .. } => format!("nodal stage ({})", categories.join(", ")),
            Self::Nodes(_) => "number of positive nodes".to_owned(),
            Self::Recurrence { months, .. } => format!("recurrence within {months} months"),
        }
    }

    /// Number of columns of a prediction.
    fn columns(&self) -> usize {
        match self {
            Self::Stage { categories, .. } => categories.len(),
            Self::Nodes(_) | Self::Recurrence { .. } => 1,
        }
    }

    /// The rows among these whose outcome is known.
    fn known(&self, rows: &[usize]) -> Vec<usize> {
        let is_known = |row: &usize| match self {
            Self::Stage { of, .. } => of[*row].is_some(),
            Self::Nodes(of) => of[*row].is_some(),
            Self::Recurrence { of, .. } => of[*row].is_some(),
        };
        rows.iter().copied().filter(is_known).collect()
    }

    /// Why these rows are too few to learn from; `None` where they suffice.
    fn too_few(&self, rows: &[usize]) -> Option<String> {
        let needed = |what: &str, count: usize| {
            (count < FEWEST).then(|| format!("{count} training patients {what}; at least {FEWEST} are needed"))
        };
        match self {
            Self::Stage { categories, of } => {
                let lowest = rows.iter().filter(|&&row| of[row] == Some(0)).count();
                let higher = rows.len() - lowest;
                let has_two = categories.len() > 1;
                needed("have the lowest stage", lowest)
                    .or_else(|| needed("have a higher stage", if has_two { higher } else { 0 }))
            }
            Self::Nodes(of) => {
                needed("have a positive node", rows.iter().filter(|&&row| of[row].is_some_and(|n| n > 0)).count())
            }
            Self::Recurrence { of, .. } => {
                needed("had a recurrence", rows.iter().filter(|&&row| of[row].is_some_and(|one| one.observed)).count())
            }
        }
    }

    fn stages(categories: &[String], of: &[Option<usize>], rows: &[usize]) -> Result<OrderedOutcome, ModelError> {
        let names: Vec<&str> = categories.iter().map(String::as_str).collect();
        OrderedOutcome::new(&names, rows.iter().filter_map(|&row| of[row]).collect())
    }

    fn follow_up(of: &[Option<Recurrence>], rows: &[usize]) -> Result<FollowUp, ModelError> {
        let known: Vec<Recurrence> = rows.iter().filter_map(|&row| of[row]).collect();
        let times = known.iter().map(|one| one.months).collect();
        Ok(FollowUp::new(times, known.iter().map(|one| one.observed).collect())?)
    }

    fn counts(of: &[Option<u64>], rows: &[usize]) -> Vec<u64> {
        rows.iter().filter_map(|&row| of[row]).collect()
    }

    /// A model of the rows, whose outcomes are known: proportional odds, negative binomial or proportional hazards.
    fn fit(&self, variables: &FeatureTable, rows: &[usize]) -> Result<FittedOutcome, ModelError> {
        let table = variables.select_rows(rows);
        Ok(match self {
            Self::Stage { categories, of } => {
                let outcome = Self::stages(categories, of, rows)?;
                FittedOutcome::Stage(ProportionalOdds::fit(&table, &outcome, &ProportionalOddsParams::default())?)
            }
            Self::Nodes(of) => {
                let params = CountParams::new(CountFamily::NegativeBinomial);
                FittedOutcome::Nodes(CountModel::fit(&table, &Self::counts(of, rows), &params)?)
            }
            Self::Recurrence { months, of } => {
                let model = CoxModel::fit(&table, &Self::follow_up(of, rows)?, &CoxParams::default())?;
                FittedOutcome::Recurrence { months: *months, model }
            }
        })
    }

    /// How good predictions of the rows are, whose outcomes are known.
    fn judge(&self, rows: &[usize], predictions: &[Vec<f64>]) -> Result<OutcomePerformance, ModelError> {
        match self {
            Self::Stage { categories, of } => {
                let shape = (rows.len(), predictions.len());
                let probabilities = Array2::from_shape_fn(shape, |(row, column)| predictions[column][row]);
                let outcome = Self::stages(categories, of, rows)?;
                ordinal_outcome_performance(&outcome, probabilities.view(), LEVEL)
            }
            Self::Nodes(of) => count_performance(&Self::counts(of, rows), &predictions[0], LEVEL),
            Self::Recurrence { months, of } => {
                time_to_event_performance(&Self::follow_up(of, rows)?, &predictions[0], *months, LEVEL)
            }
        }
    }
}

impl OutcomeModel {
    fn new(outcome: &FurtherOutcome, model: &ModelSpecification, patients: usize) -> Self {
        Self {
            outcome: outcome.name(),
            model: model.name.clone(),
            patients,
            coefficients: Vec::new(),
            performances: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn judged(&mut self, cohort: &str, performance: Result<OutcomePerformance, ModelError>) {
        match performance {
            Ok(performance) => self.performances.push(CohortPerformance { cohort: cohort.to_owned(), performance }),
            Err(error) => self.remarks.push(format!("{cohort}: {error}")),
        }
    }
}

/// A model of a further outcome on its way to its figures.
struct OutcomeJob<'a> {
    outcome: &'a FurtherOutcome,
    model: &'a ModelSpecification,
    /// Training patients whose outcome is known.
    training: Vec<usize>,
    /// The variables of the model, of all patients.
    columns: FeatureTable,
    /// The model of all training patients, where there is one.
    fitted: Option<FittedOutcome>,
    result: OutcomeModel,
}

/// Predictions of the training patients by fits without their fold, for each column of a prediction; or why a fold
/// could not be fitted.
type OutOfFold = Result<Vec<Vec<f64>>, String>;

impl Study {
    /// Two models of every further outcome that the table has, of the clinical variables and of the variables of the
    /// integrated model, judged in every cohort. What cannot be fitted or judged is said in their remarks.
    ///
    /// # Errors
    /// When a selection goes wrong, and after Ctrl-C.
    pub(crate) fn models_of_further_outcomes(
        &mut self,
        table: &CohortTable<'_>,
        variables: &FeatureTable,
        inputs: &FoldInputs<'_>,
    ) -> Result<Vec<OutcomeModel>> {
        let outcomes = FurtherOutcome::of(table);
        if outcomes.is_empty() {
            return Ok(Vec::new());
        }
        let models: Vec<ModelSpecification> =
            specifications().into_iter().filter(|model| MODELS.contains(&model.name.as_str())).collect();
        let folds = table.folds(self.settings.seed)?;
        let step = self.progress().begin("further outcomes", folds.count());
        let jobs = outcomes.iter().flat_map(|outcome| models.iter().map(move |model| (outcome, model)));
        let jobs = jobs.map(|(outcome, model)| OutcomeJob::new(table, variables, outcome, model));
        let jobs = jobs.collect::<Result<Vec<_>>>()?;
        let cross_fit = CrossFit {
            table,
            rows: table.training(),
            folds: &folds,
            inputs: &|fold, _| Ok(inputs.of_fold(fold)),
            progress: self.progress(),
            advance: &|| step.advance(),
        };
        let out_of_fold = out_of_fold(&jobs, &cross_fit)?;
        let found = jobs.into_iter().zip(out_of_fold).map(|(job, predictions)| job.judged(table, predictions));
        let found = found.collect();
        step.finish(&mut self.costs);
        Ok(found)
    }
}

/// The predictions of all jobs out of fold: selections, scores and completed values of a fold are made once for all.
fn out_of_fold(jobs: &[OutcomeJob<'_>], cross_fit: &CrossFit<'_>) -> Result<Vec<OutOfFold>> {
    let fitted = || jobs.iter().filter(|job| job.fitted.is_some());
    if fitted().next().is_none() {
        return Ok(jobs.iter().map(|_| Ok(Vec::new())).collect());
    }
    // The fold that failed and why, for each job.
    let failures: Vec<Mutex<BTreeMap<usize, String>>> = jobs.iter().map(|_| Mutex::default()).collect();
    let predictions = cross_fit.predictions(|fold| {
        let mut columns = Vec::new();
        for (job, failures) in jobs.iter().zip(&failures).filter(|(job, _)| job.fitted.is_some()) {
            columns.extend(job.held_out(fold).unwrap_or_else(|error| {
                let error = format!("fold {}: {error}", fold.fold + 1);
                failures.lock().unwrap_or_else(PoisonError::into_inner).insert(fold.fold, error);
                vec![vec![f64::NAN; fold.held_out.len()]; job.outcome.columns()]
            }));
        }
        Ok(columns)
    })?;
    let mut columns = predictions.into_iter().next().context("at least one table is completed")?.into_iter();
    let of_job = |(job, failures): (&OutcomeJob<'_>, Mutex<BTreeMap<usize, String>>)| {
        let count = if job.fitted.is_some() { job.outcome.columns() } else { 0 };
        let own: Vec<Vec<f64>> = columns.by_ref().take(count).collect();
        failures.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().next().map_or(Ok(own), Err)
    };
    Ok(jobs.iter().zip(failures).map(of_job).collect())
}

impl<'a> OutcomeJob<'a> {
    /// The model fitted to all training patients, or the remark why it cannot be.
    fn new(
        table: &CohortTable<'_>,
        variables: &FeatureTable,
        outcome: &'a FurtherOutcome,
        model: &'a ModelSpecification,
    ) -> Result<Self> {
        let training = outcome.known(table.training());
        let columns = variables.select(&model.variables)?;
        let mut result = OutcomeModel::new(outcome, model, training.len());
        let fitted = match outcome.too_few(&training) {
            Some(remark) => Err(remark),
            None => outcome.fit(&columns, &training).map_err(|error| error.to_string()),
        };
        let fitted = fitted.map_err(|remark| result.remarks.push(remark)).ok();
        Ok(Self { outcome, model, training, columns, fitted, result })
    }

    /// Predictions of the patients that a fold holds out.
    fn held_out(&self, fold: &FoldVariables<'_>) -> Result<Vec<Vec<f64>>, ModelError> {
        let columns = fold.variables.select(&self.model.variables)?;
        let fitted = self.outcome.fit(&columns, &self.outcome.known(fold.training))?;
        fitted.predict(&columns.select_rows(fold.held_out))
    }

    /// The model with its figures.
    fn judged(self, table: &CohortTable<'_>, out_of_fold: OutOfFold) -> OutcomeModel {
        let Self { outcome, training, columns, fitted, mut result, .. } = self;
        let Some(fitted) = fitted else { return result };
        result.coefficients = fitted.terms().iter().map(OutcomeCoefficient::of).collect();
        let judge = |rows: &[usize]| -> Result<OutcomePerformance, ModelError> {
            outcome.judge(rows, &fitted.predict(&columns.select_rows(rows))?)
        };
        result.judged("training", judge(&training));
        match out_of_fold {
            Ok(predictions) => {
                let rows = table.training().iter();
                let is_known: Vec<bool> = rows.map(|row| training.contains(row)).collect();
                let of_known = |column: &Vec<f64>| -> Vec<f64> {
                    column.iter().zip(&is_known).filter(|(_, is_known)| **is_known).map(|(value, _)| *value).collect()
                };
                let predictions: Vec<Vec<f64>> = predictions.iter().map(of_known).collect();
                result.judged(CROSS_FITTED, outcome.judge(&training, &predictions));
            }
            Err(reason) => result.remarks.push(format!("{CROSS_FITTED}: {reason}")),
        }
        for (centre, rows) in table.validation() {
            let known = outcome.known(&rows);
            if known.is_empty() {
                result.remarks.push(format!("{centre}: the outcome of nobody is known"));
            } else {
                result.judged(centre, judge(&known));
            }
        }
        result
    }
}

impl OutcomeCoefficient {
    fn of(term: &Term) -> Self {
        Self {
            variable: term.name.clone(),
            estimate: term.estimate,
            lower: term.interval.lower,
            upper: term.interval.upper,
            p_value: term.p_value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_stages_are_joined_with_the_one_below() {
        use NodalStage::{N0, N1, N2, N3};
        let stages: Vec<Option<NodalStage>> =
            [(N0, 20), (N1, 12), (N2, 6), (N3, 5)].iter().flat_map(|&(stage, n)| vec![Some(stage); n]).collect();
        let training: Vec<usize> = (0..stages.len()).collect();
        let FurtherOutcome::Stage { categories, of } = FurtherOutcome::joined_stages(&stages, &training) else {
            panic!("no stages");
        };
        assert_eq!(categories, ["N0", "N1", "N2 to N3"]);
        assert_eq!((of[0], of[25], of[35], of[42]), (Some(0), Some(1), Some(2), Some(2)));
        // Too few of any higher stage leave one category.
        let few: Vec<usize> = (0..24).collect();
        let outcome = FurtherOutcome::joined_stages(&stages, &few);
        assert!(outcome.too_few(&few).is_some_and(|reason| reason.contains("higher stage")));
    }
}
