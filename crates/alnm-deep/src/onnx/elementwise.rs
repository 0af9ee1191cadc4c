//! Operations on single elements.

use alnm_imaging::parallel::for_each_part;

use super::value::{Dense, Floats, Layout, Value, broadcast_shape, broadcast_strides, for_each_run};
use crate::kernel::microkernel::{Instructions, compiled_for};
use crate::kernel::workspace::Workspace;

/// Values of a task.
const CHUNK: usize = 32_768;

/// Numbers to which a function is applied.
struct Numbers<'a> {
    values: &'a mut [f32],
    instructions: Instructions,
}

/// Applies a function to numbers, part by part.
fn map(Numbers { values, instructions }: Numbers<'_>, function: impl Fn(f32) -> f32 + Sync) {
    for_each_part(values, CHUNK, &|_, chunk| {
        compiled_for(instructions, || chunk.iter_mut().for_each(|value| *value = function(*value)));
    });
}

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Abs,
    Ceil,
    Clip {
        low: f32,
        high: f32,
    },
    Cos,
    Elu(f32),
    Erf,
    Exp,
    Floor,
    /// x·Φ(x), by the error function.
    Gelu,
    /// 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    GeluByTanh,
    HardSigmoid {
        alpha: f32,
        beta: f32,
    },
    HardSwish,
    LeakyRelu(f32),
    Log,
    Mish,
    Neg,
    Reciprocal,
    Relu,
    /// To the nearest integer, halves to the even one.
    Round,
    Selu {
        alpha: f32,
        gamma: f32,
    },
    Sigmoid,
    /// x · sigmoid(x).
    Silu,
    Sign,
    Sin,
    Softplus,
    Softsign,
    Sqrt,
    Tanh,
}

/// The exponential, within two units in the last place: 2ⁿ·eʳ with |r| ≤ ln 2 / 2, eʳ by its series. Written without
/// branches, so that loops over it become vector instructions.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-104.0, 89.0);
    // Adding 1.5·2²³ rounds to an integer, which stands in the last bits of the sum.
    const SHIFT: f32 = 12_582_912.0;
    let shifted = clamped * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = clamped - n * LN_2_HIGH - n * LN_2_LOW;
    let mut series = 1.0 / 5040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * r + factor;
    }
    // In two factors, since 2ⁿ alone may be subnormal or too large.
    let exponent = shifted.to_bits().wrapping_sub(SHIFT.to_bits()) as i32;
    let half = exponent >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    // NaN is in the series, whatever its exponent.
    series * power(half) * power(exponent.wrapping_sub(half))
}

/// The error function by a rational approximation of degrees 13 and 8, the one of Eigen, on [-4, 4]; beyond ±4 it is ±1
/// within two units in the last place.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    const NUMERATOR: [f32; 7] =
        [-2.726_142_4e-10, 2.770_681_4e-8, -2.101_024e-6, -5.692_506_6e-5, -7.349_906e-4, -2.954_6e-3, -1.609_603_3e-2];
    const DENOMINATOR: [f32; 5] = [-1.456_607_2e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let polynomial = |coefficients: &[f32]| coefficients.iter().fold(0.0, |sum, factor| sum * square + factor);
    x * polynomial(&NUMERATOR) / polynomial(&DENOMINATOR)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// tanh by the exponential of the negative magnitude, and by its series where the difference would lose digits.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let magnitude = x.abs();
    let decay = exp(-2.0 * magnitude);
    let square = x * x;
    let series = magnitude * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0 - square * (17.0 / 315.0))));
    let value = if magnitude < 0.1 { series } else { (1.0 - decay) / (1.0 + decay) };
    value.copysign(x)
}

#[inline(always)]
fn softplus(x: f32) -> f32 {
    x.max(0.0) + exp(-x.abs()).ln_1p()
}

impl Function {
    /// Applies the function to every number.
    pub(super) fn apply(self, values: &mut [f32], instructions: Instructions) {
        let values = Numbers { values, instructions };
        match self {
            Self::Abs => map(values, f32::abs),
            Self::Ceil => map(values, f32::ceil),
            // As in NumPy, the upper bound wins.
            Self::Clip { low, high } => map(values, |x| {
                let x = if x < low { low } else { x };
                if x > high { high } else { x }
            }),
            Self::Cos => map(values, f32::cos),
            Self::Elu(alpha) => map(values, |x| if x > 0.0 { x } else { alpha * x.exp_m1() }),
            Self::Erf => map(values, erf),
            Self::Exp => map(values, exp),
            Self::Floor => map(values, f32::floor),
            Self::Gelu => map(values, |x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))),
            Self::GeluByTanh => map(values, |x| {
                let inner = (2.0 * std::f32::consts::FRAC_1_PI).sqrt() * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + tanh(inner))
            }),
            Self::HardSigmoid { alpha, beta } => map(values, |x| (alpha * x + beta).clamp(0.0, 1.0)),
            Self::HardSwish => map(values, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
            Self::LeakyRelu(slope) => map(values, |x| if x < 0.0 { slope * x } else { x }),
            Self::Log => map(values, f32::ln),
            Self::Mish => map(values, |x| x * tanh(softplus(x))),
            Self::Neg => map(values, |x| -x),
            Self::Reciprocal => map(values, |x| 1.0 / x),
            Self::Relu => map(values, |x| if x < 0.0 { 0.0 } else { x }),
            Self::Round => map(values, f32::round_ties_even),
            Self::Selu { alpha, gamma } => map(values, |x| gamma * if x > 0.0 { x } else { alpha * x.exp_m1() }),
            Self::Sigmoid => map(values, sigmoid),
            Self::Silu => map(values, |x| x * sigmoid(x)),
            Self::Sign => map(values, |x| if x == 0.0 || x.is_nan() { x } else { x.signum() }),
            Self::Sin => map(values, f32::sin),
            Self::Softplus => map(values, softplus),
            Self::Softsign => map(values, |x| x / (1.0 + x.abs())),
            Self::Sqrt => map(values, f32::sqrt),
            Self::Tanh => map(values, tanh),
        }
    }

    /// Applies the function to integers, where it gives integers.
    pub(super) fn apply_to_integers(self, values: &mut [i64]) -> Result<(), String> {
        let map: fn(i64) -> i64 = match self {
            Self::Abs => i64::wrapping_abs,
            Self::Neg => i64::wrapping_neg,
            Self::Relu => |x| x.max(0),
            Self::Sign => i64::signum,
            Self::Clip { low, high } => {
                // Bounds of integers are kept in single precision; only those that are exact are taken.
                let bound = |bound: f32, open: i64| {
                    if bound.is_infinite() { Ok(open) } else { exact_integer(bound) }
                };
                let (low, high) = (bound(low, i64::MIN)?, bound(high, i64::MAX)?);
                values.iter_mut().for_each(|value| *value = (*value).max(low).min(high));
                return Ok(());
            }
            _ => return Err("an input holds integers; it must hold floating-point numbers".to_owned()),
        };
        values.iter_mut().for_each(|value| *value = map(*value));
        Ok(())
    }
}

fn exact_integer(value: f32) -> Result<i64, String> {
    let is_exact = value.fract() == 0.0 && value.abs() <= 16_777_216.0;
    if is_exact { Ok(value as i64) } else { Err(format!("the bound {value} is no integer of up to 24 bits")) }
}

/// A function of two numbers of one kind that gives a number of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
    /// The remainder, with the sign of the divisor, or of the dividend (`fmod`).
    Mod {
        of_dividend: bool,
    },
    /// x where x ≥ 0, else slope · x.
    PRelu,
}

impl Arithmetic {
    /// The result of two tensors of numbers.
    pub(super) fn apply(self, first: &Value, second: &Value, workspace: &Workspace) -> Result<Value, String> {
        match (first, second) {
            (Value::Floats(a), Value::Floats(b)) => Ok(Value::Floats(self.of_floats(a, b, workspace)?)),
            (Value::Integers(a), Value::Integers(b)) => {
                let function = self.of_integers()?;
                let mut zero_divisor = false;
                let result = zip_broadcast(a, b, |x, y| {
                    zero_divisor |= y == 0;
                    function(x, y)
                })?;
                if zero_divisor && matches!(self, Self::Div | Self::Mod { .. }) {
                    return Err("an integer is divided by 0".to_owned());
                }
                Ok(Value::Integers(result))
            }
            // An exponent may be of another kind than its base.
            (Value::Floats(a), Value::Integers(b)) if self == Self::Pow => {
                let exponents = b.values.iter().map(|value| *value as f32).collect::<Vec<f32>>();
                let b = Floats::plain(b.shape.clone(), exponents.into());
                Ok(Value::Floats(self.of_floats(a, &b, workspace)?))
            }
            _ => Err(format!("the inputs hold {} and {}; they must be alike", first.kind(), second.kind())),
        }
    }

    fn of_integers(self) -> Result<fn(i64, i64) -> i64, String> {
        Ok(match self {
            Self::Add => i64::wrapping_add,
            Self::Sub => i64::wrapping_sub,
            Self::Mul => i64::wrapping_mul,
            Self::Div => |x, y| x.checked_div(y).unwrap_or(0),
            Self::Min => i64::min,
            Self::Max => i64::max,
            Self::Mod { of_dividend: true } => |x, y| x.checked_rem(y).unwrap_or(0),
            Self::Mod { of_dividend: false } => |x, y| {
                let rest = x.checked_rem(y).unwrap_or(0);
                if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }
            },
            Self::Pow => |x, y| u32::try_from(y).map_or(0, |y| x.wrapping_pow(y)),
            Self::PRelu => return Err("the inputs hold integers; they must hold floating-point numbers".to_owned()),
        })
    }

    fn of_floats(self, first: &Floats, second: &Floats, workspace: &Workspace) -> Result<Floats, String> {
        match self {
            Self::Add => combine(first, second, workspace, &|x: f32, y: f32| x + y),
            Self::Sub => combine(first, second, workspace, &|x: f32, y: f32| x - y),
            Self::Mul => combine(first, second, workspace, &|x: f32, y: f32| x * y),
            Self::Div => combine(first, second, workspace, &|x: f32, y: f32| x / y),
            Self::Pow => combine(first, second, workspace, &power),
            Self::Min => combine(first, second, workspace, &|x: f32, y: f32| if y < x || y.is_nan() { y } else { x }),
            Self::Max => combine(first, second, workspace, &|x: f32, y: f32| if y > x || y.is_nan() { y } else { x }),
            Self::Mod { of_dividend: true } => combine(first, second, workspace, &|x: f32, y: f32| x % y),
            Self::Mod { of_dividend: false } => combine(first, second, workspace, &|x: f32, y: f32| {
                let rest = x % y;
                if rest != 0.0 && (rest < 0.0) != (y < 0.0) { rest + y } else { rest }
            }),
            Self::PRelu => combine(first, second, workspace, &|x: f32, slope: f32| if x < 0.0 { slope * x } else { x }),
        }
    }
}

/// Squares, square roots and so on are exact; the rest by the library's power.
fn power(x: f32, y: f32) -> f32 {
    if y == 2.0 {
        x * x
    } else if y == 3.0 {
        x * x * x
    } else if y == 0.5 {
        x.sqrt()
    } else {
        x.powf(y)
    }
}

/// The layout in which two tensors are combined: that of the larger one, where the other fits it or has one value for
/// each channel or one at all.
fn common_layout(first: &Floats, second: &Floats) -> Layout {
    let last = |floats: &Floats, other: &Floats| {
        floats.layout() == Layout::ChannelsLast
            && (floats.shape() == other.shape()
                || pattern_length(floats.shape(), other.shape()).is_some()
                || is_of_channels(floats.shape(), other.shape()))
    };
    if last(first, second) || last(second, first) { Layout::ChannelsLast } else { Layout::Plain }
}

/// For a tensor (batch, channel, position...) and one that has a single value, or one for each channel: that number.
fn pattern_length(shape: &[usize], other: &[usize]) -> Option<usize> {
    let count: usize = other.iter().product();
    if count == 1 && other.len() <= shape.len() {
        return Some(1);
    }
    let place = (1 + other.len()).checked_sub(shape.len())?;
    (other.len() <= shape.len() && count == shape[1] && other.get(place) == Some(&count)).then_some(count)
}

/// Whether a tensor has one value for each sample and channel of another one.
fn is_of_channels(shape: &[usize], other: &[usize]) -> bool {
    shape.len() > 2
        && shape.len() == other.len()
        && shape[..2] == other[..2]
        && other[2..].iter().all(|size| *size == 1)
}

/// A function of two numbers, by its loops: each is compiled for each function, and nothing else is.
pub(super) trait OfTwo: Sync {
    /// Numbers of either side, which stand `step` apart: 0 repeats the first.
    fn run(&self, into: &mut [f32], first: Steps<'_>, second: Steps<'_>);

    /// Rows with the same numbers beside each, which are the second ones, or the first where `is_turned`.
    fn rows(&self, into: &mut [f32], rows: &[f32], beside: &[f32], is_turned: bool);
}

/// Numbers, and how far each is from the next that is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps<'a> {
    numbers: &'a [f32],
    step: usize,
}

impl<'a> Steps<'a> {
    fn one_by_one(numbers: &'a [f32]) -> Self {
        Self { numbers, step: 1 }
    }

    fn the_same(number: &'a f32) -> Self {
        Self { numbers: std::slice::from_ref(number), step: 0 }
    }
}

impl<F: Fn(f32, f32) -> f32 + Sync> OfTwo for F {
    fn run(&self, into: &mut [f32], first: Steps<'_>, second: Steps<'_>) {
        let (Some(a), Some(b)) = (first.numbers.first(), second.numbers.first()) else { return };
        match (first.step, second.step) {
            (1, 1) => each_pair(into, first.numbers, second.numbers, self),
            (1, 0) => into.iter_mut().zip(first.numbers).for_each(|(into, x)| *into = self(*x, *b)),
            (0, 1) => into.iter_mut().zip(second.numbers).for_each(|(into, y)| *into = self(*a, *y)),
            _ => into.iter_mut().enumerate().for_each(|(place, into)| {
                *into = self(first.numbers[place * first.step], second.numbers[place * second.step]);
            }),
        }
    }

    fn rows(&self, into: &mut [f32], rows: &[f32], beside: &[f32], is_turned: bool) {
        let length = beside.len();
        for (into, row) in into.chunks_exact_mut(length).zip(rows.chunks_exact(length)) {
            if is_turned {
                each_pair(into, beside, row, self);
            } else {
                each_pair(into, row, beside, self);
            }
        }
    }
}

#[inline(always)]
fn each_pair(into: &mut [f32], first: &[f32], second: &[f32], function: &impl Fn(f32, f32) -> f32) {
    for ((into, x), y) in into.iter_mut().zip(first).zip(second) {
        *into = function(*x, *y);
    }
}

/// The result of two tensors, element by element, by the rule of broadcasting.
pub(super) fn combine(
    first: &Floats,
    second: &Floats,
    workspace: &Workspace,
    function: &dyn OfTwo,
) -> Result<Floats, String> {
    let shape = broadcast_shape(first.shape(), second.shape())?;
    let layout = common_layout(first, second);
    let mut output = Floats::take(workspace, shape.clone(), layout)?;
    let pattern = |floats: &Floats, other: &Floats| {
        if floats.shape() == shape { pattern_length(&shape, other.shape()) } else { None }
    };
    if first.shape() == second.shape() {
        let (first, second) = (first.in_layout(layout, workspace), second.in_layout(layout, workspace));
        for_each_part(output.stored_mut(), CHUNK, &|chunk, into| {
            let [first, second] = [&first, &second].map(|floats| &floats.stored()[chunk * CHUNK..]);
            function.run(into, Steps::one_by_one(first), Steps::one_by_one(second));
        });
    } else if let Some(length) = pattern(first, second).filter(|length| *length == 1 || layout == Layout::ChannelsLast)
    {
        let first = first.in_layout(layout, workspace);
        with_pattern(first.stored(), &second.stored()[..length], false, output.stored_mut(), function);
    } else if let Some(length) = pattern(second, first).filter(|length| *length == 1 || layout == Layout::ChannelsLast)
    {
        let second = second.in_layout(layout, workspace);
        with_pattern(second.stored(), &first.stored()[..length], true, output.stored_mut(), function);
    } else if layout == Layout::ChannelsLast && first.shape() == shape && is_of_channels(&shape, second.shape()) {
        with_samples(&first.in_layout(layout, workspace), second.stored(), false, output.stored_mut(), function);
    } else if layout == Layout::ChannelsLast && second.shape() == shape && is_of_channels(&shape, first.shape()) {
        with_samples(&second.in_layout(layout, workspace), first.stored(), true, output.stored_mut(), function);
    } else {
        // A layout with the channels last was chosen for the cases above alone.
        let mut plain = Floats::take(workspace, shape.clone(), Layout::Plain)?;
        let (first, second) = (first.in_order(workspace), second.in_order(workspace));
        let strides = [&first, &second].map(|floats| broadcast_strides(floats.shape(), &shape));
        let (first, second) = (first.stored(), second.stored());
        let length = shape.last().copied().unwrap_or(1);
        let [a, b] = strides.each_ref().map(|strides| strides.last().copied().unwrap_or(0));
        let mut runs = Vec::new();
        for_each_run(&shape, [&strides[0], &strides[1]], |_, offsets| runs.push(offsets));
        for_each_part(plain.stored_mut(), length.max(1), &|run, into| {
            let [first, second] = [(first, runs[run][0], a), (second, runs[run][1], b)]
                .map(|(numbers, start, step)| Steps { numbers: &numbers[start..], step });
            function.run(into, first, second);
        });
        return Ok(plain);
    }
    Ok(output)
}

/// Combines rows with the same numbers beside each; see [`OfTwo::rows`].
fn with_pattern(rows: &[f32], pattern: &[f32], is_turned: bool, into: &mut [f32], function: &dyn OfTwo) {
    let length = pattern.len();
    let chunk = (CHUNK / length.max(1)).max(1) * length.max(1);
    for_each_part(into, chunk, &|number, into| {
        let rows = &rows[number * chunk..];
        match pattern {
            [] => {}
            [value] => {
                let (rows, value) = (Steps::one_by_one(rows), Steps::the_same(value));
                let (first, second) = if is_turned { (value, rows) } else { (rows, value) };
                function.run(into, first, second);
            }
            _ => function.rows(into, rows, pattern, is_turned),
        }
    });
}

/// Combines every sample with its own number for each channel, the channel the fastest.
fn with_samples(samples: &Floats, patterns: &[f32], is_turned: bool, into: &mut [f32], function: &dyn OfTwo) {
    let (count, channels) = (samples.shape()[0].max(1), samples.shape()[1].max(1));
    let size = (into.len() / count).max(1);
    let patterns = patterns.chunks_exact(channels);
    for ((into, sample), pattern) in into.chunks_exact_mut(size).zip(samples.stored().chunks_exact(size)).zip(patterns)
    {
        with_pattern(sample, pattern, is_turned, into, function);
    }
}

/// Two tensors of any kind, element by element, by the rule of broadcasting.
pub(super) fn zip_broadcast<A: Copy, B: Copy, R>(
    first: &Dense<A>,
    second: &Dense<B>,
    mut function: impl FnMut(A, B) -> R,
) -> Result<Dense<R>, String> {
    let shape = broadcast_shape(&first.shape, &second.shape)?;
    let strides = [broadcast_strides(&first.shape, &shape), broadcast_strides(&second.shape, &shape)];
    let mut values = Vec::new();
    let length = shape.last().copied().unwrap_or(1);
    let steps = strides.each_ref().map(|strides| strides.last().copied().unwrap_or(0));
    for_each_run(&shape, [&strides[0], &strides[1]], |_, [a, b]| {
        values.extend(
            (0..length).map(|place| function(first.values[a + place * steps[0]], second.values[b + place * steps[1]])),
        );
    });
    Ok(Dense { shape, values })
}

/// A comparison or a function of two truth values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    And,
    Or,
    Xor,
}

impl Relation {
    pub(super) fn apply(self, first: &Value, second: &Value, workspace: &Workspace) -> Result<Value, String> {
        fn holds<T: PartialOrd>(relation: Relation, x: T, y: T) -> bool {
            match relation {
                Relation::Equal => x == y,
                Relation::Greater => x > y,
                Relation::GreaterOrEqual => x >= y,
                Relation::Less => x < y,
                Relation::LessOrEqual => x <= y,
                Relation::And | Relation::Or | Relation::Xor => false,
            }
        }
        let is_of_truths = matches!(self, Self::And | Self::Or | Self::Xor);
        let result = match (first, second) {
            (Value::Booleans(a), Value::Booleans(b)) => zip_broadcast(a, b, |x, y| match self {
                Self::And => x && y,
                Self::Or => x || y,
                Self::Xor => x != y,
                _ => holds(self, x, y),
            })?,
            (Value::Floats(a), Value::Floats(b)) if !is_of_truths => {
                let dense =
                    |floats: &Floats| Dense::new(floats.shape().to_vec(), floats.in_order(workspace).stored().to_vec());
                zip_broadcast(&dense(a), &dense(b), |x, y| holds(self, x, y))?
            }
            (Value::Integers(a), Value::Integers(b)) if !is_of_truths => zip_broadcast(a, b, |x, y| holds(self, x, y))?,
            _ => return Err(format!("the inputs hold {} and {}", first.kind(), second.kind())),
        };
        Ok(Value::Booleans(result))
    }
}

/// The first or the second value where the condition holds or not.
pub(super) fn choose(
    condition: &Dense<bool>,
    first: &Value,
    second: &Value,
    workspace: &Workspace,
) -> Result<Value, String> {
    fn of<T: Copy>(condition: &Dense<bool>, first: &Dense<T>, second: &Dense<T>) -> Result<Dense<T>, String> {
        // Pairs first: the condition may be broadcast in both.
        let pairs = zip_broadcast(first, second, |x, y| (x, y))?;
        zip_broadcast(condition, &pairs, |holds, (x, y)| if holds { x } else { y })
    }
    Ok(match (first, second) {
        (Value::Floats(a), Value::Floats(b)) => {
            let dense =
                |floats: &Floats| Dense::new(floats.shape().to_vec(), floats.in_order(workspace).stored().to_vec());
            let chosen = of(condition, &dense(a), &dense(b))?;
            Value::floats(chosen.shape, chosen.values)
        }
        (Value::Integers(a), Value::Integers(b)) => Value::Integers(of(condition, a, b)?),
        (Value::Booleans(a), Value::Booleans(b)) => Value::Booleans(of(condition, a, b)?),
        _ => return Err(format!("the inputs hold {} and {}; they must be alike", first.kind(), second.kind())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approximations_are_close_everywhere() {
        for step in -9000..9000 {
            let x = step as f32 * 0.01;
            let exact = f64::from(x).exp();
            if (1e-37..3e38).contains(&exact) {
                assert!((f64::from(exp(x)) - exact).abs() < 2.5e-7 * exact, "exp {x}");
            }
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 2e-7, "tanh {x}");
        }
        assert_eq!((exp(f32::NEG_INFINITY), exp(0.0), exp(-200.0)), (0.0, 1.0, 0.0));
        assert!(exp(f32::NAN).is_nan() && exp(f32::INFINITY) > 3e38);
        // Values of the error function (Abramowitz and Stegun, table 7.1).
        for (x, value) in [(0.0, 0.0), (0.1, 0.112_462_92), (0.5, 0.520_499_9), (1.0, 0.842_700_8), (2.0, 0.995_322_3)]
        {
            assert!((erf(x) - value).abs() < 3e-7 && (erf(-x) + value).abs() < 3e-7, "erf {x}: {}", erf(x));
        }
        assert!((erf(50.0) - 1.0).abs() < 2e-7);
    }
}
