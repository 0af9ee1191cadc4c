//! Operations that sum over dimensions, and softmax.

use rayon::prelude::*;

use super::arrangement::transposed;
use super::elementwise::exp;
use super::value::{Dense, Floats, Layout, Value, axis_of, count_of};
use super::window::{Pooling, pooled_globally};
use crate::kernel::microkernel::compiled_for;
use crate::kernel::workspace::Workspace;

/// What becomes of the numbers along the reduced dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    Mean,
    Sum,
    Max,
    Min,
    Prod,
    L1,
    L2,
    SumSquare,
}

impl Reduction {
    fn of(self, values: &[f32]) -> f32 {
        match self {
            Self::Mean => sum(values, |x| x) / values.len() as f32,
            Self::Sum => sum(values, |x| x),
            Self::Max => largest(values),
            Self::Min => {
                values.iter().fold(f32::INFINITY, |least, x| if *x < least || x.is_nan() { *x } else { least })
            }
            Self::Prod => values.iter().product(),
            Self::L1 => sum(values, f32::abs),
            Self::L2 => sum(values, |x| x * x).sqrt(),
            Self::SumSquare => sum(values, |x| x * x),
        }
    }

    /// The pooling of all positions that is the same.
    fn of_positions(self) -> Option<Pooling> {
        (self == Self::Mean).then_some(Pooling::Average { counts_padding: false })
    }

    fn of_integers(self, values: impl Iterator<Item = i64>) -> Result<i64, String> {
        let mut values = values.peekable();
        Ok(match self {
            Self::Sum => values.fold(0, i64::wrapping_add),
            Self::Prod => values.fold(1, i64::wrapping_mul),
            Self::Max if values.peek().is_some() => values.fold(i64::MIN, i64::max),
            Self::Min if values.peek().is_some() => values.fold(i64::MAX, i64::min),
            _ => return Err("the input holds integers; it must hold floating-point numbers".to_owned()),
        })
    }
}

/// The largest number, or NaN where there is one; found in eight strands.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let larger = |most: f32, x: f32| if x > most || x.is_nan() { x } else { most };
    let (blocks, rest) = values.as_chunks::<8>();
    let mut strands = [f32::NEG_INFINITY; 8];
    for block in blocks {
        strands.iter_mut().zip(block).for_each(|(most, &x)| *most = larger(*most, x));
    }
    strands.iter().chain(rest).fold(f32::NEG_INFINITY, |most, &x| larger(most, x))
}

/// A sum in eight strands that are added at last: fast, and the same bits everywhere.
#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut strands = [0.0f32; 8];
    let (blocks, rest) = values.as_chunks::<8>();
    // Sums of parts keep the error small where there are many numbers.
    let mut total = 0.0f64;
    for part in blocks.chunks(512) {
        strands.fill(0.0);
        for block in part {
            strands.iter_mut().zip(block).for_each(|(strand, value)| *strand += of(*value));
        }
        total += strands.iter().map(|strand| f64::from(*strand)).sum::<f64>();
    }
    total += rest.iter().map(|value| f64::from(of(*value))).sum::<f64>();
    total as f32
}

/// The dimensions that are reduced, in order; all where none are named, unless that means none.
fn reduced_axes(axes: Option<&[i64]>, rank: usize, empty_means_none: bool) -> Result<Vec<usize>, String> {
    match axes {
        None | Some([]) => Ok(if empty_means_none { Vec::new() } else { (0..rank).collect() }),
        Some(axes) => {
            let mut axes = axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<Vec<_>, _>>()?;
            axes.sort_unstable();
            axes.dedup();
            Ok(axes)
        }
    }
}

/// How dimensions are reduced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axes<'a> {
    pub(super) axes: Option<&'a [i64]>,
    pub(super) keeps: bool,
    pub(super) empty_means_none: bool,
}

/// Reduces dimensions of a tensor.
pub(super) fn reduced(
    value: &Value,
    reduction: Reduction,
    Axes { axes, keeps, empty_means_none }: Axes<'_>,
    workspace: &Workspace,
) -> Result<Value, String> {
    let rank = value.shape().len();
    let axes = reduced_axes(axes, rank, empty_means_none)?;
    let shape = value.shape();
    let result: Vec<usize> = (0..rank)
        .filter(|axis| keeps || !axes.contains(axis))
        .map(|axis| if axes.contains(&axis) { 1 } else { shape[axis] })
        .collect();
    if let Value::Floats(floats) = value
        && floats.layout() == Layout::ChannelsLast
        && let Some(pooling) = reduction.of_positions()
        && rank > 2
        && axes.iter().copied().eq(2..rank)
    {
        let pooled = pooled_globally(floats, pooling, workspace)?;
        return Ok(Value::Floats(Floats::plain(result, pooled.into_buffer())));
    }
    let order: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied()).collect();
    let length: usize = axes.iter().map(|axis| shape[*axis]).product();
    let count = count_of(&result)?;
    let turned;
    let value = if order.iter().copied().eq(0..rank) {
        value
    } else {
        turned = transposed(value, &order, workspace)?;
        &turned
    };
    match value {
        Value::Floats(floats) => {
            let floats = floats.in_order(workspace);
            let mut output = Floats::take(workspace, result, Layout::Plain)?;
            let tasks = (8192 / length.max(1)).max(1);
            output.stored_mut().par_iter_mut().with_min_len(tasks).enumerate().for_each(|(index, into)| {
                *into = reduction.of(&floats.stored()[index * length..(index + 1) * length]);
            });
            Ok(Value::Floats(output))
        }
        Value::Integers(Dense { values, .. }) => {
            let of = |index: usize| reduction.of_integers(values[index * length..(index + 1) * length].iter().copied());
            Ok(Value::integers(result, (0..count).map(of).collect::<Result<_, _>>()?))
        }
        Value::Booleans(_) => Err("the input holds truth values; it must hold numbers".to_owned()),
    }
}

/// The place of the largest or smallest number along a dimension; the first or the last of equal ones.
pub(super) fn extreme_place(
    value: &Value,
    axis: i64,
    keeps: bool,
    is_better: impl Fn(f32, f32) -> bool,
    workspace: &Workspace,
) -> Result<Value, String> {
    let floats = value.as_floats()?.in_order(workspace);
    let shape = floats.shape();
    let axis = axis_of(axis, shape.len())?;
    let (outer, size, inner) =
        (shape[..axis].iter().product::<usize>(), shape[axis], shape[axis + 1..].iter().product::<usize>());
    if size == 0 {
        return Err("a dimension without elements has no extreme".to_owned());
    }
    let mut places = Vec::with_capacity(outer * inner);
    for block in 0..outer {
        for offset in 0..inner {
            let at = |place: usize| floats.stored()[(block * size + place) * inner + offset];
            places.push((1..size).fold(0, |best, place| if is_better(at(place), at(best)) { place } else { best }) as i64);
        }
    }
    let mut result = shape.to_vec();
    if keeps {
        result[axis] = 1;
    } else {
        result.remove(axis);
    }
    Ok(Value::integers(result, places))
}

/// Softmax along a dimension, or its logarithm.
pub(super) fn softmax(floats: &Floats, axis: i64, is_log: bool, workspace: &Workspace) -> Result<Floats, String> {
    let rank = floats.shape().len();
    let axis = axis_of(axis, rank.max(1))?;
    if rank == 0 {
        return Ok(Floats::plain(Vec::new(), vec![if is_log { 0.0 } else { 1.0 }].into()));
    }
    let layout = if axis == 1 && rank > 2 { Layout::ChannelsLast } else { Layout::Plain };
    let source = floats.in_layout(layout, workspace);
    let mut output = Floats::take(workspace, floats.shape().to_vec(), layout)?;
    if layout.stored_axis(axis, rank) == rank - 1 {
        let length = floats.shape()[axis];
        let rows = output.stored_mut().par_chunks_mut(length.max(1)).with_min_len((4096 / length.max(1)).max(1));
        rows.zip(source.stored().par_chunks(length.max(1))).for_each(|(into, from)| {
            compiled_for(workspace.instructions, || softmax_row(into, from, is_log));
        });
        return Ok(output);
    }
    let stored = output.stored_shape();
    let (size, inner) = (stored[axis], stored[axis + 1..].iter().product::<usize>());
    let block = (size * inner).max(1);
    output.stored_mut().par_chunks_mut(block).zip(source.stored().par_chunks(block)).for_each(|(into, from)| {
        let (mut row, mut result) = (vec![0.0; size], vec![0.0; size]);
        for offset in 0..inner {
            row.iter_mut().enumerate().for_each(|(place, value)| *value = from[place * inner + offset]);
            compiled_for(workspace.instructions, || softmax_row(&mut result, &row, is_log));
            result.iter().enumerate().for_each(|(place, value)| into[place * inner + offset] = *value);
        }
    });
    Ok(output)
}

#[inline(always)]
fn softmax_row(into: &mut [f32], from: &[f32], is_log: bool) {
    let most = largest(from);
    for (into, value) in into.iter_mut().zip(from) {
        *into = exp(value - most);
    }
    let total = sum(into, |x| x);
    if is_log {
        let shift = most + total.ln();
        into.iter_mut().zip(from).for_each(|(into, value)| *into = value - shift);
    } else {
        into.iter_mut().for_each(|value| *value /= total);
    }
}

/// Sums along a dimension up to each element.
pub(super) fn cumulative_sum(floats: &Floats, axis: i64, workspace: &Workspace) -> Result<Floats, String> {
    let axis = axis_of(axis, floats.shape().len())?;
    let mut output = floats.in_order(workspace).into_owned();
    let (size, inner) = (floats.shape()[axis], floats.shape()[axis + 1..].iter().product::<usize>());
    for block in output.stored_mut().chunks_mut((size * inner).max(1)) {
        for place in inner..block.len() {
            block[place] += block[place - inner];
        }
    }
    Ok(output)
}
