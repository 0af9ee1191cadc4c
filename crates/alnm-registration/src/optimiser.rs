//! argmin's L-BFGS with the line search of Moré and Thuente.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::ControlFlow;

use argmin::core::{CostFunction, Error, Gradient, IterState, Problem, Solver, State, TerminationStatus};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use argmin_math::{
    ArgminAdd, ArgminDot, ArgminL1Norm, ArgminL2Norm, ArgminMinMax, ArgminMul, ArgminScaledAdd, ArgminSignum,
    ArgminSub, ArgminZeroLike,
};

/// Pairs of steps and changes of the gradient that L-BFGS keeps.
const MEMORY: usize = 8;

/// Positions whose value and gradient are kept: argmin asks for the two at different times.
const REMEMBERED: usize = 3;

/// A value with its gradient.
#[derive(Debug, Clone)]
pub(crate) struct Evaluation {
    pub(crate) value: f64,
    pub(crate) gradient: Vec<f64>,
}

/// How a minimisation goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// Most iterations.
    pub(crate) iterations: usize,
    /// Ends when the value falls in an iteration by less than this share of its fall so far.
    pub(crate) tolerance: f64,
    /// The largest change of a parameter that the first iteration tries.
    pub(crate) first_step: f64,
}

/// Where a minimisation ended.
#[derive(Debug, Clone)]
pub(crate) struct Minimum {
    pub(crate) parameters: Vec<f64>,
    pub(crate) start: f64,
    pub(crate) value: f64,
    pub(crate) iterations: usize,
    pub(crate) evaluations: usize,
    pub(crate) converged: bool,
    pub(crate) cancelled: bool,
}

type Evaluate<'a> = dyn FnMut(&[f64]) -> Option<Evaluation> + 'a;

/// Minimises a function from `start` on; none where it has no value there. `report` is told of each iteration and its
/// value.
pub(crate) fn minimise(
    start: Vec<f64>,
    schedule: Schedule,
    evaluate: &mut Evaluate<'_>,
    report: &mut dyn FnMut(usize, f64) -> ControlFlow<()>,
) -> Option<Minimum> {
    let first = evaluate(&start)?;
    let mut minimum = Minimum {
        parameters: start.clone(),
        start: first.value,
        value: first.value,
        iterations: 0,
        evaluations: 1,
        converged: false,
        cancelled: false,
    };
    let steepest = first.gradient.iter().fold(0.0_f64, |largest, slope| largest.max(slope.abs()));
    if steepest.is_nan() || steepest <= 0.0 {
        minimum.converged = true;
        return Some(minimum);
    }
    // L-BFGS tries the negative gradient first, so the function is scaled until that is a step of the wanted length.
    let scale = schedule.first_step / steepest;
    let objective = Objective { evaluate: RefCell::new(evaluate), recent: RefCell::default(), scale };
    objective.remember(start.clone(), &first);
    let line_search = MoreThuenteLineSearch::new()
        .with_width_tolerance(0.1)
        .and_then(|search| search.with_bounds(1e-4, 20.0))
        .expect("the constants are in argmin's ranges");
    let mut solver: LBFGS<_, Parameters, Parameters, f64> = LBFGS::new(line_search, MEMORY);
    let mut problem = Problem::new(objective);
    let state: IterState<Parameters, Parameters, (), (), (), f64> = IterState::new()
        .param(Parameters(start))
        .cost(first.value * scale)
        .gradient(Parameters(first.gradient.iter().map(|slope| slope * scale).collect()));
    let Ok((mut state, _)) = solver.init(&mut problem, state) else { return Some(minimum) };
    while minimum.iterations < schedule.iterations {
        state = match solver.next_iter(&mut problem, state) {
            Ok((state, _)) => state,
            Err(_) => break,
        };
        if let TerminationStatus::Terminated(_) = state.get_termination_status() {
            // The line search found nothing lower, or left what the images share.
            minimum.converged = true;
            break;
        }
        state.increment_iter();
        state.update();
        minimum.iterations += 1;
        let value = state.get_cost() / scale;
        let fall = minimum.value - value;
        if let Some(Parameters(parameters)) = state.get_param().filter(|_| fall > 0.0) {
            minimum.parameters.clone_from(parameters);
            minimum.value = value;
        }
        if report(minimum.iterations, minimum.value).is_break() {
            minimum.cancelled = true;
            break;
        }
        if fall <= schedule.tolerance * (minimum.start - minimum.value) {
            minimum.converged = true;
            break;
        }
    }
    if let Some(objective) = problem.get_problem() {
        minimum.evaluations = 1 + objective.recent.borrow().evaluations;
    }
    Some(minimum)
}

/// Values at the last positions.
#[derive(Debug, Default)]
struct Recent {
    evaluations: usize,
    list: VecDeque<(Vec<f64>, Evaluation)>,
}

/// A function as argmin takes it: its value and its gradient at the same position are found together.
struct Objective<'a, 'b> {
    evaluate: RefCell<&'a mut Evaluate<'b>>,
    recent: RefCell<Recent>,
    scale: f64,
}

/// Why the function has no value at a position.
#[derive(Debug, thiserror::Error)]
#[error("the images share too little")]
struct NoValue;

impl Objective<'_, '_> {
    fn remember(&self, parameters: Vec<f64>, evaluation: &Evaluation) {
        let mut recent = self.recent.borrow_mut();
        if recent.list.len() == REMEMBERED {
            recent.list.pop_front();
        }
        let gradient = evaluation.gradient.iter().map(|slope| slope * self.scale).collect();
        recent.list.push_back((parameters, Evaluation { value: evaluation.value * self.scale, gradient }));
    }

    fn at<T>(&self, parameters: &[f64], part: impl Fn(&Evaluation) -> T) -> Result<T, Error> {
        let known = |recent: &Recent| {
            recent
                .list
                .iter()
                .rev()
                .find(|(position, _)| position == parameters)
                .map(|(_, evaluation)| part(evaluation))
        };
        if let Some(part) = known(&self.recent.borrow()) {
            return Ok(part);
        }
        let evaluation = (self.evaluate.borrow_mut())(parameters).ok_or(NoValue)?;
        self.recent.borrow_mut().evaluations += 1;
        self.remember(parameters.to_vec(), &evaluation);
        known(&self.recent.borrow()).ok_or_else(|| NoValue.into())
    }
}

impl CostFunction for Objective<'_, '_> {
    type Param = Parameters;
    type Output = f64;

    fn cost(&self, parameters: &Parameters) -> Result<f64, Error> {
        self.at(&parameters.0, |evaluation| evaluation.value)
    }
}

impl Gradient for Objective<'_, '_> {
    type Param = Parameters;
    type Gradient = Parameters;

    fn gradient(&self, parameters: &Parameters) -> Result<Parameters, Error> {
        self.at(&parameters.0, |evaluation| Parameters(evaluation.gradient.clone()))
    }
}

/// A list of numbers with the operations that argmin needs. argmin-math brings them for `Vec` together with a generator
/// of random numbers, which nothing here draws from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameters(Vec<f64>);

impl Parameters {
    fn with(&self, other: &Self, operation: impl Fn(f64, f64) -> f64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| operation(*a, *b)).collect())
    }

    fn each(&self, operation: impl Fn(f64) -> f64) -> Self {
        Self(self.0.iter().map(|a| operation(*a)).collect())
    }
}

impl ArgminAdd<Self, Self> for Parameters {
    fn add(&self, other: &Self) -> Self {
        self.with(other, |a, b| a + b)
    }
}

impl ArgminAdd<f64, Self> for Parameters {
    fn add(&self, other: &f64) -> Self {
        self.each(|a| a + other)
    }
}

impl ArgminSub<Self, Self> for Parameters {
    fn sub(&self, other: &Self) -> Self {
        self.with(other, |a, b| a - b)
    }
}

impl ArgminSub<f64, Self> for Parameters {
    fn sub(&self, other: &f64) -> Self {
        self.each(|a| a - other)
    }
}

impl ArgminMul<Self, Self> for Parameters {
    fn mul(&self, other: &Self) -> Self {
        self.with(other, |a, b| a * b)
    }
}

impl ArgminMul<f64, Self> for Parameters {
    fn mul(&self, other: &f64) -> Self {
        self.each(|a| a * other)
    }
}

impl ArgminScaledAdd<Self, f64, Self> for Parameters {
    fn scaled_add(&self, factor: &f64, other: &Self) -> Self {
        self.with(other, |a, b| a + factor * b)
    }
}

impl ArgminDot<Self, f64> for Parameters {
    fn dot(&self, other: &Self) -> f64 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }
}

impl ArgminL1Norm<f64> for Parameters {
    fn l1_norm(&self) -> f64 {
        self.0.iter().map(|a| a.abs()).sum()
    }
}

impl ArgminL2Norm<f64> for Parameters {
    fn l2_norm(&self) -> f64 {
        self.0.iter().map(|a| a * a).sum::<f64>().sqrt()
    }
}

impl ArgminSignum for Parameters {
    fn signum(self) -> Self {
        self.each(f64::signum)
    }
}

impl ArgminZeroLike for Parameters {
    fn zero_like(&self) -> Self {
        Self(vec![0.0; self.0.len()])
    }
}

impl ArgminMinMax for Parameters {
    fn min(x: &Self, y: &Self) -> Self {
        x.with(y, f64::min)
    }

    fn max(x: &Self, y: &Self) -> Self {
        x.with(y, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule { iterations: 100, tolerance: 1e-12, first_step: 0.1 };

    fn rosenbrock(p: &[f64]) -> Option<Evaluation> {
        let (a, b) = (1.0 - p[0], p[1] - p[0] * p[0]);
        Some(Evaluation { value: a * a + 100.0 * b * b, gradient: vec![-2.0 * a - 400.0 * p[0] * b, 200.0 * b] })
    }

    #[test]
    fn rosenbrocks_valley_is_followed_to_its_end() {
        let mut report = |_, _| ControlFlow::Continue(());
        let found = minimise(vec![-1.2, 1.0], SCHEDULE, &mut rosenbrock, &mut report).unwrap();
        assert!(found.converged && found.value < 1e-12 && found.evaluations < 100, "{found:?}");
        assert!(found.parameters.iter().all(|p| (p - 1.0).abs() < 1e-5));
    }

    #[test]
    fn an_observer_stops_and_a_function_without_a_value_ends() {
        let mut report = |iteration, _| if iteration == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let found = minimise(vec![-1.2, 1.0], SCHEDULE, &mut rosenbrock, &mut report).unwrap();
        assert!(found.cancelled && found.iterations == 3);
        assert!(minimise(vec![0.0], SCHEDULE, &mut |_: &[f64]| None, &mut report).is_none());
        // It has a value up to 0.4; the minimum lies beyond.
        let mut bounded = |p: &[f64]| {
            (p[0] < 0.4).then(|| Evaluation { value: (p[0] - 1.0).powi(2), gradient: vec![2.0 * (p[0] - 1.0)] })
        };
        let mut go_on = |_, _| ControlFlow::Continue(());
        let found = minimise(vec![0.0], SCHEDULE, &mut bounded, &mut go_on).unwrap();
        assert!(found.value < 1.0 && found.parameters[0] < 0.4);
    }
}
