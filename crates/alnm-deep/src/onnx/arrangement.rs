//! Operations that move elements and change none.

use alnm_imaging::parallel::for_each_part;
use rayon::prelude::*;

use super::value::{Dense, Floats, Layout, Value, axis_of, broadcast_strides, count_of, for_each_run, strides_of};
use crate::kernel::workspace::Workspace;

/// Elements of a tensor that are picked by a start and distances along the dimensions of the result. Negative distances
/// wrap around.
#[derive(Debug, Clone)]
struct Pick {
    start: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl Pick {
    fn copy<T: Copy + Send + Sync>(&self, from: &[T], into: &mut [T]) {
        let length = self.shape.last().copied().unwrap_or(1);
        let step = self.strides.last().copied().unwrap_or(1);
        let mut starts = Vec::new();
        for_each_run(&self.shape, [&self.strides], |_, [offset]| starts.push(self.start.wrapping_add(offset)));
        into.par_chunks_mut(length.max(1)).with_min_len((4096 / length.max(1)).max(1)).zip(starts).for_each(
            |(into, start)| {
                if step == 1 {
                    into.copy_from_slice(&from[start..start + into.len()]);
                    return;
                }
                let mut place = start;
                for into in into {
                    *into = from[place];
                    place = place.wrapping_add(step);
                }
            },
        );
    }

    fn of_dense<T: Copy + Send + Sync + Default>(&self, from: &Dense<T>) -> Result<Dense<T>, String> {
        let mut values = vec![T::default(); count_of(&self.shape)?];
        self.copy(&from.values, &mut values);
        Ok(Dense::new(self.shape.clone(), values))
    }

    fn of_value(&self, value: &Value, workspace: &Workspace) -> Result<Value, String> {
        Ok(match value {
            Value::Floats(floats) => {
                let mut output = Floats::take(workspace, self.shape.clone(), Layout::Plain)?;
                self.copy(floats.in_order(workspace).stored(), output.stored_mut());
                Value::Floats(output)
            }
            Value::Integers(integers) => Value::Integers(self.of_dense(integers)?),
            Value::Booleans(booleans) => Value::Booleans(self.of_dense(booleans)?),
        })
    }
}

/// A value under another shape of as many elements.
pub(super) fn reshaped(value: Value, shape: Vec<usize>, workspace: &Workspace) -> Result<Value, String> {
    if count_of(&shape)? != value.count() {
        return Err(format!("the shape {:?} has other values than the shape {shape:?}", value.shape()));
    }
    Ok(match value {
        Value::Floats(floats) if floats.layout() == Layout::Plain => {
            Value::Floats(Floats::plain(shape, floats.into_buffer()))
        }
        Value::Floats(floats) => {
            Value::Floats(Floats::plain(shape, floats.in_order(workspace).into_owned().into_buffer()))
        }
        Value::Integers(integers) => Value::integers(shape, integers.values),
        Value::Booleans(booleans) => Value::booleans(shape, booleans.values),
    })
}

/// The shape that `Reshape` asks for: 0 keeps a size (where allowed), one −1 takes what is left.
pub(super) fn wanted_shape(from: &[usize], wanted: &[i64], keeps_zeros: bool) -> Result<Vec<usize>, String> {
    let wrong = || format!("the shape {from:?} cannot be reshaped to {wanted:?}");
    let sizes: Vec<Option<usize>> = wanted
        .iter()
        .enumerate()
        .map(|(axis, size)| match size {
            -1 => Ok(None),
            0 if !keeps_zeros => from.get(axis).copied().map(Some).ok_or_else(wrong),
            size => usize::try_from(*size).map(Some).map_err(|_| wrong()),
        })
        .collect::<Result<_, String>>()?;
    let known = count_of(&sizes.iter().flatten().copied().collect::<Vec<_>>())?;
    let count = count_of(from)?;
    match sizes.iter().filter(|size| size.is_none()).count() {
        0 => {}
        1 if known > 0 && count.is_multiple_of(known) => {}
        _ => return Err(wrong()),
    }
    Ok(sizes.into_iter().map(|size| size.unwrap_or_else(|| count / known)).collect())
}

/// Dimensions in another order.
pub(super) fn transposed(value: &Value, order: &[usize], workspace: &Workspace) -> Result<Value, String> {
    let shape = value.shape();
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..shape.len()) {
        return Err(format!("perm is {order:?}; it must be an order of {} dimensions", shape.len()));
    }
    if let Value::Floats(floats) = value {
        if let Some(turned) = relabelled(floats, order) {
            return Ok(Value::Floats(turned));
        }
        if let [outer @ .., rows, columns] = order
            && outer.iter().copied().eq(0..outer.len())
            && rows > columns
        {
            let mut output = Floats::take(workspace, order.iter().map(|axis| shape[*axis]).collect(), Layout::Plain)?;
            let rows = shape[outer.len()];
            let columns = shape[outer.len() + 1];
            let plain = floats.in_order(workspace);
            super::value::transpose_matrices(plain.stored(), rows, columns, output.stored_mut());
            return Ok(Value::Floats(output));
        }
    }
    let strides = strides_of(shape);
    let pick = Pick {
        start: 0,
        shape: order.iter().map(|axis| shape[*axis]).collect(),
        strides: order.iter().map(|axis| strides[*axis]).collect(),
    };
    pick.of_value(value, workspace)
}

/// A transposition from or to the order of memory, which moves nothing.
fn relabelled(floats: &Floats, order: &[usize]) -> Option<Floats> {
    let rank = order.len();
    if rank < 3 {
        return None;
    }
    let to_last: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
    let shape: Vec<usize> = order.iter().map(|axis| floats.shape()[*axis]).collect();
    let from_last: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    match floats.layout() {
        Layout::ChannelsLast if order == to_last => Some(Floats::plain(shape, floats.clone().into_buffer())),
        Layout::Plain if order == from_last => {
            Some(Floats::new(shape, floats.clone().into_buffer(), Layout::ChannelsLast))
        }
        _ => None,
    }
}

/// A range of each dimension, as `Slice` names them; every axis stands once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) axis: usize,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) step: i64,
}

/// Parts of the dimensions.
pub(super) fn sliced(value: &Value, ranges: &[Range], workspace: &Workspace) -> Result<Value, String> {
    let shape = value.shape();
    let layout = if let Value::Floats(floats) = value { floats.layout() } else { Layout::Plain };
    let stored = if let Value::Floats(floats) = value { floats.stored_shape() } else { shape.to_vec() };
    let mut pick = Pick { start: 0, shape: stored.clone(), strides: strides_of(&stored) };
    let mut result = shape.to_vec();
    for &Range { axis, start, end, step } in ranges {
        let size = shape[axis] as i64;
        let from_end = |place: i64| if place < 0 { place.saturating_add(size) } else { place };
        let (start, count) = match step {
            0 => return Err("a step is 0; it must be another number".to_owned()),
            1.. => {
                let (start, end) = (from_end(start).clamp(0, size), from_end(end).clamp(0, size));
                (start, (end - start).max(0).cast_unsigned().div_ceil(step.unsigned_abs()))
            }
            _ => {
                let (start, end) = (from_end(start).clamp(-1, size - 1), from_end(end).clamp(-1, size - 1));
                (start, (start - end).max(0).cast_unsigned().div_ceil(step.unsigned_abs()))
            }
        };
        let place = layout.stored_axis(axis, shape.len());
        pick.start = pick.start.wrapping_add((start as usize).wrapping_mul(pick.strides[place]));
        pick.strides[place] = pick.strides[place].wrapping_mul(step as usize);
        (pick.shape[place], result[axis]) = (count as usize, count as usize);
    }
    match value {
        Value::Floats(floats) => {
            let mut output = Floats::take(workspace, result, layout)?;
            pick.copy(floats.stored(), output.stored_mut());
            Ok(Value::Floats(output))
        }
        other => pick.of_value(other, workspace),
    }
}

/// Several values one after another along a dimension.
pub(super) fn concatenated(values: &[&Value], axis: i64, workspace: &Workspace) -> Result<Value, String> {
    let first = values.first().ok_or("there is nothing to concatenate")?;
    let rank = first.shape().len();
    let axis = axis_of(axis, rank)?;
    let mut shape = first.shape().to_vec();
    shape[axis] = 0;
    for value in values {
        let other = value.shape();
        if other.len() != rank || (0..rank).any(|place| place != axis && other[place] != first.shape()[place]) {
            return Err(format!("the shapes {:?} and {other:?} differ beside axis {axis}", first.shape()));
        }
        shape[axis] = shape[axis].checked_add(other[axis]).ok_or("the sizes are too large")?;
    }
    count_of(&shape)?;
    fn join<T: Copy>(parts: &[(&[T], usize)], outer: usize, mut push: impl FnMut(&[T])) {
        for index in 0..outer {
            parts.iter().for_each(|(values, size)| push(&values[index * size..(index + 1) * size]));
        }
    }
    match first {
        Value::Floats(_) => {
            let floats: Vec<&Floats> = values.iter().map(|value| value.as_floats()).collect::<Result<_, _>>()?;
            let is_last = floats.iter().any(|floats| floats.layout() == Layout::ChannelsLast);
            let layout = if is_last { Layout::ChannelsLast } else { Layout::Plain };
            let mut output = Floats::take(workspace, shape, layout)?;
            let place = layout.stored_axis(axis, rank);
            let stored: Vec<_> = floats.iter().map(|floats| floats.in_layout(layout, workspace)).collect();
            let inner: usize = output.stored_shape()[place + 1..].iter().product();
            let sizes: Vec<usize> = floats.iter().map(|floats| floats.shape()[axis] * inner).collect();
            let line: usize = sizes.iter().sum();
            output
                .stored_mut()
                .par_chunks_mut(line.max(1))
                .with_min_len((16_384 / line.max(1)).max(1))
                .enumerate()
                .for_each(|(index, mut into)| {
                    for (part, size) in stored.iter().zip(&sizes) {
                        let (here, rest) = into.split_at_mut(*size);
                        here.copy_from_slice(&part.stored()[index * size..(index + 1) * size]);
                        into = rest;
                    }
                });
            Ok(Value::Floats(output))
        }
        Value::Integers(_) => {
            let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product::<usize>());
            let mut result = Vec::new();
            let parts: Vec<(&[i64], usize)> = values
                .iter()
                .map(|value| value.as_integers().map(|dense| (dense.values.as_slice(), dense.shape[axis] * inner)))
                .collect::<Result<_, _>>()?;
            join(&parts, outer, |part| result.extend_from_slice(part));
            Ok(Value::integers(shape, result))
        }
        Value::Booleans(_) => {
            let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product::<usize>());
            let mut result = Vec::new();
            let parts: Vec<(&[bool], usize)> = values
                .iter()
                .map(|value| value.as_booleans().map(|dense| (dense.values.as_slice(), dense.shape[axis] * inner)))
                .collect::<Result<_, _>>()?;
            join(&parts, outer, |part| result.extend_from_slice(part));
            Ok(Value::booleans(shape, result))
        }
    }
}

/// A value repeated to a shape by the rule of broadcasting.
pub(super) fn expanded(value: &Value, shape: &[usize], workspace: &Workspace) -> Result<Value, String> {
    let shape = super::value::broadcast_shape(value.shape(), shape)?;
    let strides = broadcast_strides(value.shape(), &shape);
    Pick { start: 0, shape, strides }.of_value(value, workspace)
}

/// A value repeated so many times along each dimension.
pub(super) fn tiled(value: &Value, repeats: &[usize], workspace: &Workspace) -> Result<Value, String> {
    if repeats.len() != value.shape().len() {
        return Err(format!("{} repeats for {} dimensions", repeats.len(), value.shape().len()));
    }
    let strides = strides_of(value.shape());
    let sizes = || value.shape().iter().zip(repeats);
    let tiles = Pick {
        start: 0,
        shape: sizes().flat_map(|(size, times)| [*times, *size]).collect(),
        strides: strides.iter().flat_map(|stride| [0, *stride]).collect(),
    };
    let shape: Option<Vec<usize>> = sizes().map(|(size, times)| size.checked_mul(*times)).collect();
    let shape = shape.ok_or("the repeats are too many")?;
    count_of(&shape)?;
    reshaped(tiles.of_value(value, workspace)?, shape, workspace)
}

/// Slices of a dimension by their indices, which count from the end where negative.
pub(super) fn gathered(value: &Value, indices: &Dense<i64>, axis: i64, workspace: &Workspace) -> Result<Value, String> {
    let shape = value.shape();
    let axis = axis_of(axis, shape.len())?;
    let places: Vec<usize> = indices
        .values
        .iter()
        .map(|index| {
            axis_of(*index, shape[axis])
                .map_err(|_| format!("an index is {index}; the dimension has {} elements", shape[axis]))
        })
        .collect::<Result<_, _>>()?;
    let (outer, inner): (usize, usize) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
    let result: Vec<usize> = [&shape[..axis], &indices.shape, &shape[axis + 1..]].concat();
    count_of(&result)?;
    fn pick<T: Copy>(values: &[T], outer: usize, size: usize, places: &[usize], inner: usize) -> Vec<T> {
        let mut result = Vec::with_capacity(outer * places.len() * inner);
        for block in 0..outer {
            for place in places {
                result.extend_from_slice(&values[(block * size + place) * inner..][..inner]);
            }
        }
        result
    }
    let size = shape[axis];
    Ok(match value {
        Value::Floats(floats) => {
            let plain = floats.in_order(workspace);
            Value::floats(result, pick(plain.stored(), outer, size, &places, inner))
        }
        Value::Integers(dense) => Value::integers(result, pick(&dense.values, outer, size, &places, inner)),
        Value::Booleans(dense) => Value::booleans(result, pick(&dense.values, outer, size, &places, inner)),
    })
}

/// What stands beyond the edge of a padded tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    Constant,
    /// The element at the edge.
    Edge,
    /// Mirrored about the element at the edge.
    Reflect,
    /// From the other side.
    Wrap,
}

/// A tensor with more elements, or fewer where negative, before and after each dimension.
pub(super) fn padded(
    floats: &Floats,
    before_and_after: &[(i64, i64)],
    border: Border,
    value: f32,
    workspace: &Workspace,
) -> Result<Floats, String> {
    let rank = floats.shape().len();
    let layout = floats.layout();
    let mut shape = floats.shape().to_vec();
    // For each dimension in the order of memory, where its elements come from.
    let mut sources: Vec<Vec<Option<usize>>> = vec![Vec::new(); rank];
    for (axis, (before, after)) in before_and_after.iter().enumerate() {
        let size = shape[axis] as i64;
        let total = size.checked_add(*before).and_then(|sum| sum.checked_add(*after)).filter(|total| *total >= 0);
        let total = total.ok_or_else(|| format!("pads are {before} and {after} for a size of {size}"))?;
        shape[axis] = usize::try_from(total).map_err(|_| "the pads are too large")?;
        count_of(&shape)?;
        if border != Border::Constant && size == 0 && total > 0 {
            return Err("a dimension without elements cannot be continued".to_owned());
        }
        sources[layout.stored_axis(axis, rank)] = (0..total)
            .map(|place| {
                let place = place - before;
                let inside = match border {
                    Border::Constant => place,
                    Border::Edge => place.clamp(0, size - 1),
                    Border::Wrap => place.rem_euclid(size),
                    Border::Reflect if size == 1 => 0,
                    Border::Reflect => {
                        let period = 2 * (size - 1);
                        let place = place.rem_euclid(period);
                        place.min(period - place)
                    }
                };
                usize::try_from(inside).ok().filter(|inside| *inside < size as usize)
            })
            .collect();
    }
    let mut output = Floats::take(workspace, shape, layout)?;
    let from_strides = strides_of(&floats.stored_shape());
    let Some((last, outer)) = sources.split_last() else {
        output.stored_mut().copy_from_slice(floats.stored());
        return Ok(output);
    };
    for_each_part(output.stored_mut(), last.len().max(1), &|mut line, into| {
        let mut start = Some(0);
        for (axis, sources) in outer.iter().enumerate().rev() {
            let source = sources[line % sources.len()];
            line /= sources.len();
            start = start.zip(source).map(|(start, source)| start + source * from_strides[axis]);
        }
        let Some(start) = start else { return into.fill(value) };
        for (into, source) in into.iter_mut().zip(last) {
            *into = source.map_or(value, |source| floats.stored()[start + source]);
        }
    });
    Ok(output)
}

/// Which numbers of the channels become which positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockOrder {
    /// Block row, block column, channel.
    DepthColumnRow,
    /// Channel, block row, block column (PyTorch's pixel shuffle).
    ColumnRowDepth,
}

/// Channels made into blocks of positions: (n, c·b², h, w) becomes (n, c, h·b, w·b).
pub(super) fn depth_to_space(
    value: &Value,
    block: usize,
    order: BlockOrder,
    workspace: &Workspace,
) -> Result<Value, String> {
    let &[n, c, h, w] = value.shape() else {
        return Err(format!("the shape is {:?}; it must have four dimensions", value.shape()));
    };
    let area = block.checked_mul(block).filter(|area| *area > 0 && c.is_multiple_of(*area));
    let channels = c / area.ok_or_else(|| format!("blocksize is {block}; its square must divide {c} channels"))?;
    let (split, axes) = match order {
        BlockOrder::DepthColumnRow => (vec![n, block, block, channels, h, w], [0, 3, 4, 1, 5, 2]),
        BlockOrder::ColumnRowDepth => (vec![n, channels, block, block, h, w], [0, 1, 4, 2, 5, 3]),
    };
    let turned = transposed(&reshaped(value.clone(), split, workspace)?, &axes, workspace)?;
    reshaped(turned, vec![n, channels, h * block, w * block], workspace)
}

/// Blocks of positions made into channels: (n, c, h·b, w·b) becomes (n, b²·c, h, w), the channel the fastest.
pub(super) fn space_to_depth(value: &Value, block: usize, workspace: &Workspace) -> Result<Value, String> {
    let &[n, c, h, w] = value.shape() else {
        return Err(format!("the shape is {:?}; it must have four dimensions", value.shape()));
    };
    if block == 0 || !h.is_multiple_of(block) || !w.is_multiple_of(block) {
        return Err(format!("blocksize is {block}; it must divide {h} rows and {w} columns"));
    }
    let split = vec![n, c, h / block, block, w / block, block];
    let turned = transposed(&reshaped(value.clone(), split, workspace)?, &[0, 3, 5, 1, 2, 4], workspace)?;
    reshaped(turned, vec![n, c * block * block, h / block, w / block], workspace)
}
