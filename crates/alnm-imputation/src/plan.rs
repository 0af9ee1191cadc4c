//! What is imputed, by which model, from which predictors, and in which order.

use std::collections::BTreeSet;

use crate::error::{ImputationError, Result, require_imputations};
use crate::formula::PassiveFormula;
use crate::imputation_model::MOST_ITERATIONS;

/// The model that a variable is imputed by, which also says what its values are.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ImputationMethod {
    /// Numbers, by predictive mean matching (mice's `pmm`, matching of type 1): the value of one of the observed rows
    /// whose predictions lie nearest. It keeps the range and the shape of what was observed, and needs no linear
    /// relation.
    MeanMatching {
        /// Number of nearest rows among which one is drawn; 5 in mice. At least 1.
        donors: usize,
    },
    /// Numbers, by Bayesian linear regression with normal noise (mice's `norm`).
    BayesianLinear,
    /// Two values, by Bayesian logistic regression (mice's `logreg`).
    Logistic,
    /// Some values without an order, by Bayesian multinomial logistic regression (mice's `polyreg`).
    Polytomous,
    /// Some values in ascending order, by Bayesian proportional-odds regression (mice's `polr`).
    ProportionalOdds,
    /// Not by a model: computed from other variables.
    Passive(PassiveFormula),
}

impl ImputationMethod {
    /// Name of the method, as mice calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::MeanMatching { .. } => "pmm",
            Self::BayesianLinear => "norm",
            Self::Logistic => "logreg",
            Self::Polytomous => "polyreg",
            Self::ProportionalOdds => "polr",
            Self::Passive(_) => "passive",
        }
    }

    /// Whether the values are categories.
    pub(crate) fn is_categorical(&self) -> bool {
        matches!(self, Self::Logistic | Self::Polytomous | Self::ProportionalOdds)
    }
}

/// One variable: its column, the model that imputes it, and what it is predicted from.
///
/// ```
/// use alnm_imputation::VariablePlan;
/// let size = VariablePlan::numeric("size").with_unit("cm").with_predictors(&["age", "grade"]);
/// assert_eq!(size.method.name(), "pmm");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct VariablePlan {
    /// Name of the column.
    pub name: String,
    /// Unit of the values, empty without one. Measurements of a patient must carry it.
    pub unit: String,
    /// The model that missing values are drawn from.
    pub method: ImputationMethod,
    /// Names of the variables that predict this one, its row of the predictor matrix; `None` for all others. Outcomes
    /// always predict it in training, and never in other rows.
    pub predictors: Option<Vec<String>>,
}

impl VariablePlan {
    fn new(name: &str, method: ImputationMethod) -> Self {
        Self { name: name.to_owned(), unit: String::new(), method, predictors: None }
    }

    /// Numbers, imputed by predictive mean matching with five donors.
    pub fn numeric(name: &str) -> Self {
        Self::new(name, ImputationMethod::MeanMatching { donors: 5 })
    }

    /// Two values, for instance 0 and 1, imputed by logistic regression.
    pub fn binary(name: &str) -> Self {
        Self::new(name, ImputationMethod::Logistic)
    }

    /// Codes of categories without an order, imputed by multinomial logistic regression.
    pub fn nominal(name: &str) -> Self {
        Self::new(name, ImputationMethod::Polytomous)
    }

    /// Codes of categories in ascending order, imputed by proportional-odds regression.
    pub fn ordinal(name: &str) -> Self {
        Self::new(name, ImputationMethod::ProportionalOdds)
    }

    /// A variable that is computed from others wherever it is missing.
    ///
    /// # Errors
    /// [`ImputationError::Formula`] when the formula cannot be read.
    pub fn passive(name: &str, formula: &str) -> Result<Self> {
        Ok(Self::new(name, ImputationMethod::Passive(PassiveFormula::parse(formula)?)))
    }

    /// Sets the model that missing values are drawn from.
    pub fn with_method(mut self, method: ImputationMethod) -> Self {
        self.method = method;
        self
    }

    /// Sets the unit of the values.
    pub fn with_unit(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    /// Sets the names of the variables that predict this one.
    pub fn with_predictors(mut self, predictors: &[&str]) -> Self {
        self.predictors = Some(predictors.iter().map(|&name| name.to_owned()).collect());
        self
    }

    /// The formula of a passive variable.
    pub(crate) fn formula(&self) -> Option<&PassiveFormula> {
        match &self.method {
            ImputationMethod::Passive(formula) => Some(formula),
            _ => None,
        }
    }
}

/// The order in which variables are imputed within an iteration. Passive variables follow at once on each of their
/// parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum VisitingSequence {
    /// In the order of the plans (mice's `roman`).
    #[default]
    AsListed,
    /// In the reverse order of the plans (mice's `arabic`).
    Reversed,
    /// From the fewest to the most missing values (mice's `monotone`); equal numbers in the order of the plans.
    FewestMissingFirst,
    /// From the most to the fewest missing values (mice's `revmonotone`).
    MostMissingFirst,
    /// The named variables in this order, which may name one twice; every incomplete variable must be among them.
    Given(Vec<String>),
}

/// Parameters of multiple imputation by chained equations, unchecked.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `variables` | given to [`ChainedEquationsParams::new`] | the variables, in the order of the completed tables | at least one, unique names |
/// | `outcomes` | none | columns that predict the variables in training and are unknown in rows to be predicted | complete in training |
/// | `imputations` | 20 | number of completed tables | 2 or more |
/// | `iterations` | 10 | rounds over the variables before a completed table is taken | 1 to 100 000 |
/// | `visiting` | as listed | order of the variables within a round | |
/// | `seed` | 0 | seed of the random numbers | |
///
/// ```
/// use alnm_imputation::{ChainedEquationsParams, VariablePlan};
/// let equations = ChainedEquationsParams::new(vec![
///     VariablePlan::numeric("neutrophils"),
///     VariablePlan::numeric("platelets"),
///     VariablePlan::numeric("lymphocytes"),
///     VariablePlan::passive("SII", "neutrophils * platelets / lymphocytes")?,
///     VariablePlan::ordinal("grade"),
/// ])
/// .with_outcome(VariablePlan::binary("nodes"))
/// .with_imputations(50)
/// .with_seed(1)
/// .check()?;
/// // SII does not predict its own parts.
/// assert_eq!(equations.predictors("platelets")?, ["neutrophils", "lymphocytes", "grade"]);
/// # Ok::<(), alnm_imputation::ImputationError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
#[must_use]
pub struct ChainedEquationsParams {
    /// The variables, in the order of the completed tables.
    pub variables: Vec<VariablePlan>,
    /// Columns that predict the variables in training and are unknown in rows to be predicted.
    pub outcomes: Vec<VariablePlan>,
    /// Number of completed tables.
    pub imputations: usize,
    /// Rounds over the variables before a completed table is taken.
    pub iterations: usize,
    /// Order of the variables within a round.
    pub visiting: VisitingSequence,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl ChainedEquationsParams {
    /// Twenty imputations after ten iterations of these variables.
    pub fn new(variables: Vec<VariablePlan>) -> Self {
        Self {
            variables,
            outcomes: Vec::new(),
            imputations: 20,
            iterations: 10,
            visiting: VisitingSequence::AsListed,
            seed: 0,
        }
    }

    /// Adds a column that predicts the variables in training and is unknown in rows to be predicted.
    pub fn with_outcome(mut self, outcome: VariablePlan) -> Self {
        self.outcomes.push(outcome);
        self
    }

    /// Sets the number of completed tables.
    pub fn with_imputations(mut self, imputations: usize) -> Self {
        self.imputations = imputations;
        self
    }

    /// Sets the number of rounds before a completed table is taken.
    pub fn with_iterations(mut self, iterations: usize) -> Self {
        self.iterations = iterations;
        self
    }

    /// Sets the order of the variables within a round.
    pub fn with_visiting(mut self, visiting: VisitingSequence) -> Self {
        self.visiting = visiting;
        self
    }

    /// Sets the seed of the random numbers.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ImputationError::Parameter`] for a number outside its range; [`ImputationError::Plan`] for a name given twice
    /// or unknown, a variable that predicts itself, a passive variable whose formula takes a passive one or an outcome,
    /// and a passive outcome.
    pub fn check(self) -> Result<ChainedEquations> {
        if self.variables.is_empty() {
            return Err(ImputationError::parameter("number of variables", 0_usize, "at least 1"));
        }
        require_imputations(self.imputations)?;
        if !(1..=MOST_ITERATIONS).contains(&self.iterations) {
            let requirement = "at least 1 and at most 100000";
            return Err(ImputationError::parameter("number of iterations", self.iterations, requirement));
        }
        let mut names = BTreeSet::new();
        for plan in self.variables.iter().chain(&self.outcomes) {
            if !names.insert(plan.name.as_str()) {
                return Err(ImputationError::plan(&plan.name, "the name is given twice; it must be given once"));
            }
        }
        if let Some(outcome) = self.outcomes.iter().find(|plan| plan.formula().is_some()) {
            return Err(ImputationError::plan(&outcome.name, "an outcome cannot be passive; compute it before"));
        }
        for plan in &self.variables {
            self.check_plan(plan)?;
        }
        if let VisitingSequence::Given(sequence) = &self.visiting {
            for name in sequence {
                self.require_active(name, "stands in the visiting sequence")?;
            }
        }
        let predictors = self.variables.iter().map(|plan| self.predictors_of(plan)).collect();
        Ok(ChainedEquations { params: self, predictors })
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.variables.iter().position(|plan| plan.name == name)
    }

    /// Refuses a name that is no variable with a model.
    fn require_active(&self, name: &str, role: &str) -> Result<()> {
        match self.place(name) {
            None => Err(ImputationError::plan(name, format!("it {role} but is none of the variables"))),
            Some(place) if self.variables[place].formula().is_some() => {
                Err(ImputationError::plan(name, format!("it {role} but is passive; name its parts instead")))
            }
            Some(_) => Ok(()),
        }
    }

    fn check_plan(&self, plan: &VariablePlan) -> Result<()> {
        match &plan.method {
            ImputationMethod::MeanMatching { donors: 0 } => {
                return Err(ImputationError::parameter("number of donors", 0_usize, "at least 1"));
            }
            ImputationMethod::Passive(formula) => {
                if formula.variables().is_empty() {
                    return Err(ImputationError::plan(&plan.name, "its formula names no variable"));
                }
                for name in formula.variables() {
                    self.require_active(name, &format!("stands in the formula of {:?}", plan.name))?;
                }
                if plan.predictors.is_some() {
                    return Err(ImputationError::plan(
                        &plan.name,
                        "a passive variable has a formula and no predictors",
                    ));
                }
            }
            _ => {}
        }
        for name in plan.predictors.iter().flatten() {
            let reason = if *name == plan.name {
                "it is among its own predictors".to_owned()
            } else if self.outcomes.iter().any(|outcome| outcome.name == *name) {
                format!("its predictor {name:?} is an outcome, which predicts every variable in training and none else")
            } else if self.place(name).is_none() {
                format!("its predictor {name:?} is none of the variables")
            } else {
                continue;
            };
            return Err(ImputationError::plan(&plan.name, reason));
        }
        Ok(())
    }

    /// Positions of the variables that predict one, in ascending order.
    fn predictors_of(&self, plan: &VariablePlan) -> Vec<usize> {
        let wanted = |other: &VariablePlan| match &plan.predictors {
            Some(names) => names.contains(&other.name),
            // What is computed from the variable would predict it by itself.
            None => !other.formula().is_some_and(|formula| formula.variables().contains(&plan.name)),
        };
        let others = self.variables.iter().enumerate();
        if plan.formula().is_some() {
            return Vec::new();
        }
        others.filter(|(_, other)| other.name != plan.name && wanted(other)).map(|(place, _)| place).collect()
    }
}

/// Chained equations with checked parameters, ready to impute; made by [`ChainedEquationsParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct ChainedEquations {
    pub(crate) params: ChainedEquationsParams,
    /// Positions of the predictors of each variable.
    pub(crate) predictors: Vec<Vec<usize>>,
}

impl ChainedEquations {
    /// The parameters.
    pub fn params(&self) -> &ChainedEquationsParams {
        &self.params
    }

    /// Names of the variables that predict the named one, its row of the predictor matrix. Outcomes, which predict
    /// every variable in training, are not among them, and a passive variable has none.
    ///
    /// # Errors
    /// [`ImputationError::Plan`] for an unknown name.
    pub fn predictors(&self, name: &str) -> Result<Vec<&str>> {
        let place = self.params.place(name);
        let place = place.ok_or_else(|| ImputationError::plan(name, "it is none of the variables"))?;
        Ok(self.predictors[place].iter().map(|&other| self.params.variables[other].name.as_str()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(params: ChainedEquationsParams) -> String {
        params.check().expect_err("a contradiction").to_string()
    }

    #[test]
    fn contradictions_are_refused() {
        let of = ChainedEquationsParams::new;
        let (a, b) = (VariablePlan::numeric("a"), VariablePlan::numeric("b"));
        let passive = |name: &str, formula: &str| VariablePlan::passive(name, formula).expect("a formula");
        for (params, sentence) in [
            (of(vec![]), "number of variables is 0; it must be at least 1"),
            (
                of(vec![a.clone()]).with_iterations(0),
                "number of iterations is 0; it must be at least 1 and at most 100000",
            ),
            (
                of(vec![a.clone(), a.clone()]),
                "the plan of the variable \"a\" cannot be used: the name is given twice; it must be given once",
            ),
            (
                of(vec![a.clone().with_predictors(&["a"])]),
                "the plan of the variable \"a\" cannot be used: it is among its own predictors",
            ),
            (
                of(vec![a.clone().with_predictors(&["z"])]),
                "the plan of the variable \"a\" cannot be used: its predictor \"z\" is none of the variables",
            ),
            (
                of(vec![a.clone(), passive("p", "a / z")]),
                "the plan of the variable \"z\" cannot be used: it stands in the formula of \"p\" but is none of the \
                 variables",
            ),
            (
                of(vec![a.clone(), passive("p", "a"), passive("q", "p")]),
                "the plan of the variable \"p\" cannot be used: it stands in the formula of \"q\" but is passive; name its \
                 parts instead",
            ),
            (
                of(vec![a.clone(), passive("p", "2 + 2")]),
                "the plan of the variable \"p\" cannot be used: its formula names no variable",
            ),
            (
                of(vec![a.clone()]).with_outcome(passive("y", "a")),
                "the plan of the variable \"y\" cannot be used: an outcome cannot be passive; compute it before",
            ),
            (
                of(vec![a.clone()]).with_visiting(VisitingSequence::Given(vec!["b".to_owned()])),
                "the plan of the variable \"b\" cannot be used: it stands in the visiting sequence but is none of the \
                 variables",
            ),
            (
                of(vec![a.clone().with_predictors(&["y"]), b]).with_outcome(VariablePlan::binary("y")),
                "the plan of the variable \"a\" cannot be used: its predictor \"y\" is an outcome, which predicts every \
                 variable in training and none else",
            ),
            (
                of(vec![a.with_method(ImputationMethod::MeanMatching { donors: 0 })]),
                "number of donors is 0; it must be at least 1",
            ),
        ] {
            assert_eq!(reason(params), sentence);
        }
    }
}
