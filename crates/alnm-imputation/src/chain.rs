//! Multiple imputation by chained equations (van Buuren and Groothuis-Oudshoorn 2011).
//!
//! Each completed table comes from a chain of its own: missing values start as random observed ones; then, round for
//! round, each incomplete variable is regressed on the others where it is observed, the parameters of the regression
//! are drawn from their posterior, and its missing values from the regression. Chains run in parallel, each on its own
//! stream of random numbers, so that a seed gives the same tables at any number of threads.

use std::collections::BTreeMap;

use alnm_models::FeatureTable;
use ndarray::Array2;
use rayon::prelude::*;

use crate::coding::{Coded, places_of};
use crate::conditional::{ConditionalModel, LinearPart};
use crate::conditional_fit::{ImputationEventKind, Target};
use crate::convergence::Trace;
use crate::draws::Draws;
use crate::error::{ImputationError, Result};
use crate::imputation_model::{ImputationModel, ModelledVariable};
use crate::plan::{ChainedEquations, ChainedEquationsParams, ImputationMethod, VisitingSequence};

/// A peculiarity of the data that a model had to work around, the counterpart of a row of mice's `loggedEvents`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ImputationEvent {
    /// The variable that was imputed.
    pub variable: String,
    /// What happened.
    pub kind: ImputationEventKind,
    /// The predictors concerned; a level of a categorical one reads `grade=2`.
    pub predictors: Vec<String>,
    /// How often it happened, over all imputations and iterations.
    pub times: usize,
}

/// How many values of a variable were missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MissingCount {
    /// The variable.
    pub variable: String,
    /// Number of its missing values.
    pub missing: usize,
    /// Number of rows.
    pub rows: usize,
}

impl MissingCount {
    pub(crate) fn new(variable: &str, missing: usize, rows: usize) -> Self {
        Self { variable: variable.to_owned(), missing, rows }
    }
}

/// The completed tables of the training rows, with what is needed to judge them.
///
/// ```
/// use alnm_imputation::{ChainedEquationsParams, VariablePlan};
/// use alnm_selection::FeatureTable;
/// use ndarray::Array2;
/// // The second column, which follows the first, lacks every fifth value.
/// let values = Array2::from_shape_fn((60, 2), |(row, column)| match column {
///     1 if row % 5 == 0 => f64::NAN,
///     1 => row as f64 + ((row * 7) % 13) as f64,
///     _ => row as f64,
/// });
/// let table = FeatureTable::new(vec!["age".into(), "size".into()], values)?;
/// let equations =
///     ChainedEquationsParams::new(vec![VariablePlan::numeric("age"), VariablePlan::numeric("size")]).check()?;
/// let imputed = equations.impute(&table)?;
/// assert_eq!(imputed.completed().len(), 20);
/// assert!(imputed.completed()[0].require_finite().is_ok());
/// # Ok::<(), alnm_imputation::ImputationError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MultipleImputation {
    equations: ChainedEquations,
    coded: Vec<Coded>,
    missing: Vec<Vec<usize>>,
    completed: Vec<FeatureTable>,
    traces: Vec<Trace>,
    events: Vec<ImputationEvent>,
}

/// A training variable.
struct Observed {
    /// Values, NaN where missing.
    values: Vec<f64>,
    missing: Vec<usize>,
    observed_rows: Vec<usize>,
    observed_values: Vec<f64>,
}

impl Observed {
    fn new(values: Vec<f64>) -> Self {
        let (missing, observed_rows): (Vec<usize>, Vec<usize>) =
            (0..values.len()).partition(|&row| values[row].is_nan());
        let observed_values = observed_rows.iter().map(|&row| values[row]).collect();
        Self { values, missing, observed_rows, observed_values }
    }
}

/// The training rows as the chains see them: the variables first, then the outcomes.
struct Training<'a> {
    params: &'a ChainedEquationsParams,
    coded: Vec<Coded>,
    columns: Vec<Observed>,
    rows: usize,
    /// For each variable the places of its predictors in the design, outcomes included.
    predictors: Vec<Vec<usize>>,
    /// The variables in the order in which they are imputed.
    sequence: Vec<usize>,
    /// For each variable the passive ones that are computed from it.
    followers: Vec<Vec<usize>>,
}

type Events = BTreeMap<(usize, ImputationEventKind, Vec<usize>), usize>;

impl ChainedEquations {
    /// Imputes the missing values (NaN) of the training rows. The table needs a column for each variable and outcome of
    /// the plan; a passive variable may lack its column, and other columns are left aside.
    ///
    /// # Errors
    /// [`ImputationError::Selection`] for a column that the table lacks; [`ImputationError::Parameter`] for a table
    /// without rows; [`ImputationError::Column`] for a variable without an observed value, an infinite value, an
    /// outcome with a missing value, a binary variable with more than two values or a categorical one with more than
    /// 50, an incomplete variable that the visiting sequence leaves out, and a formula whose value is not finite.
    pub fn impute(&self, table: &FeatureTable) -> Result<MultipleImputation> {
        let training = Training::new(self, table)?;
        let chains = (0..self.params.imputations)
            .into_par_iter()
            .map(|imputation| training.chain(imputation))
            .collect::<Result<Vec<_>>>()?;
        let mut events = Events::new();
        let (mut completed, mut traced) = (Vec::new(), Vec::new());
        for chain in chains {
            for (event, times) in chain.events {
                *events.entry(event).or_default() += times;
            }
            completed.push(training.table(&chain.values)?);
            traced.push(chain.traced);
        }
        let incomplete: Vec<usize> = (0..self.params.variables.len()).filter(|&v| training.is_traced(v)).collect();
        let traces = incomplete
            .iter()
            .enumerate()
            .map(|(place, &v)| {
                let moment = |of: fn(&Moments) -> f64| {
                    Array2::from_shape_fn((self.params.iterations, self.params.imputations), |(iteration, chain)| {
                        of(&traced[chain][iteration][place])
                    })
                };
                Trace::new(&training.coded[v].name, moment(|m| m.mean), moment(|m| m.deviation))
            })
            .collect();
        Ok(MultipleImputation {
            events: named_events(&events, &training.coded),
            missing: training.columns[..self.params.variables.len()].iter().map(|c| c.missing.clone()).collect(),
            coded: training.coded[..self.params.variables.len()].to_vec(),
            equations: self.clone(),
            completed,
            traces,
        })
    }
}

/// The events with their names, in the order of the variables.
fn named_events(events: &Events, coded: &[Coded]) -> Vec<ImputationEvent> {
    let names: Vec<String> = coded.iter().flat_map(Coded::column_names).collect();
    events
        .iter()
        .map(|((variable, kind, columns), &times)| ImputationEvent {
            variable: coded[*variable].name.clone(),
            kind: *kind,
            predictors: columns.iter().map(|&column| names[column].clone()).collect(),
            times,
        })
        .collect()
}

/// Mean and standard deviation of the imputed values of a variable.
#[derive(Debug, Clone, Copy)]
struct Moments {
    mean: f64,
    deviation: f64,
}

impl Moments {
    fn of(values: &[f64], rows: &[usize]) -> Self {
        let n = rows.len() as f64;
        let mean = rows.iter().map(|&row| values[row]).sum::<f64>() / n;
        let squares: f64 = rows.iter().map(|&row| (values[row] - mean).powi(2)).sum();
        Self { mean, deviation: (squares / (n - 1.0)).sqrt() }
    }
}

/// What a chain leaves.
struct Chain {
    values: Vec<Vec<f64>>,
    /// For each iteration the moments of the incomplete variables.
    traced: Vec<Vec<Moments>>,
    events: Events,
}

/// The values of a chain with their design columns.
struct State<'a> {
    coded: &'a [Coded],
    values: Vec<Vec<f64>>,
    design: Vec<Vec<f64>>,
}

impl<'a> State<'a> {
    fn new(coded: &'a [Coded], values: Vec<Vec<f64>>) -> Self {
        let (width, rows) = (coded.last().map_or(0, |c| c.columns.end), values.first().map_or(0, Vec::len));
        let mut state = Self { coded, values, design: vec![vec![0.0; rows]; width] };
        for v in 0..coded.len() {
            for row in 0..rows {
                state.set(v, row, state.values[v][row]);
            }
        }
        state
    }

    fn set(&mut self, v: usize, row: usize, value: f64) {
        self.values[v][row] = value;
        let design = &mut self.design;
        self.coded[v].encode(value, |column, entry| design[column][row] = entry);
    }

    /// Computes a passive variable in the rows where it is missing.
    fn compute(&mut self, v: usize, rows: &[usize]) -> Result<()> {
        let coded = self.coded;
        let Some(formula) = &coded[v].formula else { return Ok(()) };
        let parts = places_of(formula, coded);
        for &row in rows {
            let value = formula.evaluate_at(&parts.iter().map(|&part| self.values[part][row]).collect::<Vec<_>>());
            if !value.is_finite() {
                return Err(ImputationError::not_finite(&coded[v].name, formula.text(), value, row));
            }
            self.set(v, row, value);
        }
        Ok(())
    }
}

impl<'a> Training<'a> {
    fn new(equations: &'a ChainedEquations, table: &FeatureTable) -> Result<Self> {
        let params = &equations.params;
        let rows = table.rows();
        if rows == 0 {
            return Err(ImputationError::parameter("number of rows", rows, "at least 1"));
        }
        let (mut coded, mut columns) = (Vec::<Coded>::new(), Vec::new());
        for (place, plan) in params.variables.iter().chain(&params.outcomes).enumerate() {
            let is_passive = plan.formula().is_some();
            let values = if is_passive && !table.names().contains(&plan.name) {
                vec![f64::NAN; rows]
            } else {
                table.column(&plan.name)?.to_vec()
            };
            let column = Observed::new(values);
            if column.observed_rows.is_empty() && !is_passive {
                let reason = "it has no observed value; leave it out, since nothing can be learned about it";
                return Err(ImputationError::column(&plan.name, reason));
            }
            if place >= params.variables.len() && !column.missing.is_empty() {
                let reason = format!(
                    "it is an outcome and lacks {} values; leave these rows out, or plan it as a variable",
                    column.missing.len()
                );
                return Err(ImputationError::column(&plan.name, reason));
            }
            let next = Coded::new(plan, &column.observed_values, coded.last().map_or(0, |c| c.columns.end))?;
            column.observed_values.iter().try_for_each(|&value| next.require_known(value))?;
            coded.push(next);
            columns.push(column);
        }
        let outcomes = coded[params.variables.len()..].iter().flat_map(|c| c.columns.clone());
        let outcomes: Vec<usize> = outcomes.collect();
        let predictors = equations.predictors.iter();
        let predictors = predictors
            .map(|own| own.iter().flat_map(|&v| coded[v].columns.clone()).chain(outcomes.iter().copied()).collect())
            .collect();
        let followers = (0..coded.len())
            .map(|v| {
                let takes =
                    |other: &Coded| other.formula.as_ref().is_some_and(|f| f.variables().contains(&coded[v].name));
                (0..coded.len()).filter(|&other| takes(&coded[other])).collect()
            })
            .collect();
        let mut training = Self { params, coded, columns, rows, predictors, sequence: Vec::new(), followers };
        training.sequence = training.visiting_sequence()?;
        Ok(training)
    }

    /// Whether a variable has missing values, also by its formula.
    fn is_traced(&self, v: usize) -> bool {
        !self.columns[v].missing.is_empty()
    }

    fn visiting_sequence(&self) -> Result<Vec<usize>> {
        let count = |v: &usize| self.columns[*v].missing.len();
        let is_active = |v: &usize| self.params.variables[*v].formula().is_none() && count(v) > 0;
        let mut listed: Vec<usize> = (0..self.params.variables.len()).filter(is_active).collect();
        match &self.params.visiting {
            VisitingSequence::AsListed => {}
            VisitingSequence::Reversed => listed.reverse(),
            VisitingSequence::FewestMissingFirst => listed.sort_by_key(count),
            VisitingSequence::MostMissingFirst => listed.sort_by_key(|v| std::cmp::Reverse(count(v))),
            VisitingSequence::Given(names) => {
                let given: Vec<usize> =
                    names.iter().filter_map(|name| self.coded.iter().position(|c| c.name == *name)).collect();
                if let Some(&left_out) = listed.iter().find(|v| !given.contains(v)) {
                    let reason = "it lacks values but is not in the visiting sequence; add it";
                    return Err(ImputationError::column(&self.coded[left_out].name, reason));
                }
                listed = given.into_iter().filter(is_active).collect();
            }
        }
        Ok(listed)
    }

    fn chain(&self, imputation: usize) -> Result<Chain> {
        let mut draws = Draws::new(self.params.seed, imputation as u64);
        let mut start: Vec<Vec<f64>> = self.columns.iter().map(|column| column.values.clone()).collect();
        for (column, values) in self.columns.iter().zip(&mut start).filter(|(c, _)| !c.observed_values.is_empty()) {
            for &row in &column.missing {
                values[row] = column.observed_values[draws.below(column.observed_values.len())];
            }
        }
        let mut state = State::new(&self.coded, start);
        let passive = |v: &usize| self.coded[*v].formula.is_some();
        for v in (0..self.coded.len()).filter(passive) {
            state.compute(v, &self.columns[v].missing)?;
        }
        let (mut traced, mut events) = (Vec::with_capacity(self.params.iterations), Events::new());
        let mut estimates = vec![Vec::new(); self.coded.len()];
        for _ in 0..self.params.iterations {
            for &v in &self.sequence {
                let drawn = self.target(v, &state.design, &estimates[v]).draw_model(&mut draws);
                for (kind, columns) in drawn.events {
                    *events.entry((v, kind, columns)).or_default() += 1;
                }
                estimates[v] = drawn.estimate;
                for &row in &self.columns[v].missing {
                    let value = drawn.model.draw(|column| state.design[column][row], &mut draws);
                    state.set(v, row, value);
                }
                for &follower in &self.followers[v] {
                    state.compute(follower, &self.columns[follower].missing)?;
                }
            }
            let of_variable = |v: usize| Moments::of(&state.values[v], &self.columns[v].missing);
            traced.push((0..self.params.variables.len()).filter(|&v| self.is_traced(v)).map(of_variable).collect());
        }
        Ok(Chain { values: state.values, traced, events })
    }

    fn target<'b>(&'b self, v: usize, design: &'b [Vec<f64>], start: &'b [LinearPart]) -> Target<'b> {
        Target {
            method: &self.params.variables[v].method,
            levels: &self.coded[v].levels,
            observed_values: &self.columns[v].observed_values,
            observed_rows: &self.columns[v].observed_rows,
            design,
            predictors: &self.predictors[v],
            start,
        }
    }

    /// The completed variables, without the outcomes.
    fn table(&self, values: &[Vec<f64>]) -> Result<FeatureTable> {
        let count = self.params.variables.len();
        let names = self.coded[..count].iter().map(|c| c.name.clone()).collect();
        Ok(FeatureTable::new(names, Array2::from_shape_fn((self.rows, count), |(row, v)| values[v][row]))?)
    }
}

impl MultipleImputation {
    /// The equations that imputed the tables.
    #[must_use]
    pub fn equations(&self) -> &ChainedEquations {
        &self.equations
    }

    /// The completed tables: the variables of the plan in its order, the rows in the order of training.
    #[must_use]
    pub fn completed(&self) -> &[FeatureTable] {
        &self.completed
    }

    /// Number of missing values of each variable.
    #[must_use]
    pub fn missing(&self) -> Vec<MissingCount> {
        let rows = self.completed.first().map_or(0, FeatureTable::rows);
        let each = self.coded.iter().zip(&self.missing);
        each.map(|(coded, missing)| MissingCount::new(&coded.name, missing.len(), rows)).collect()
    }

    /// Mean and standard deviation of the imputed values of each incomplete variable, for each iteration and chain.
    #[must_use]
    pub fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// What the models had to work around, in the order of the variables.
    #[must_use]
    pub fn events(&self) -> &[ImputationEvent] {
        &self.events
    }

    /// The model that imputes rows whose outcome is unknown: for each completed table one regression of each variable
    /// on the others, without the outcomes, with parameters drawn from their posterior.
    pub fn model(&self) -> ImputationModel {
        let params = &self.equations.params;
        let places: Vec<usize> = (0..self.coded.len()).filter(|&v| self.coded[v].formula.is_none()).collect();
        let models: Vec<Vec<ConditionalModel>> = self
            .completed
            .par_iter()
            .enumerate()
            .map(|(imputation, table)| {
                // The streams behind those of the chains.
                let mut draws = Draws::new(params.seed, (params.imputations + imputation) as u64);
                let values = table.values().columns().into_iter().map(|column| column.to_vec()).collect();
                let state = State::new(&self.coded, values);
                places.iter().map(|&v| self.deployed(v, &state, &mut draws)).collect()
            })
            .collect();
        let variables = self.coded.iter().enumerate().map(|(v, coded)| {
            let plan = &params.variables[v];
            let observed = self.observed_values(v);
            ModelledVariable::new(plan, coded, &observed)
        });
        ImputationModel::new(variables.collect(), models, params.iterations, params.seed, self.rows())
    }

    fn rows(&self) -> usize {
        self.completed[0].rows()
    }

    fn observed_rows(&self, v: usize) -> Vec<usize> {
        (0..self.rows()).filter(|row| self.missing[v].binary_search(row).is_err()).collect()
    }

    fn observed_values(&self, v: usize) -> Vec<f64> {
        self.observed_rows(v).iter().map(|&row| self.completed[0].values()[[row, v]]).collect()
    }

    fn deployed(&self, v: usize, state: &State<'_>, draws: &mut Draws) -> ConditionalModel {
        let predictors: Vec<usize> =
            self.equations.predictors[v].iter().flat_map(|&other| self.coded[other].columns.clone()).collect();
        let method: &ImputationMethod = &self.equations.params.variables[v].method;
        let target = Target {
            method,
            levels: &self.coded[v].levels,
            observed_values: &self.observed_values(v),
            observed_rows: &self.observed_rows(v),
            design: &state.design,
            predictors: &predictors,
            start: &[],
        };
        target.draw_model(draws).model
    }
}
