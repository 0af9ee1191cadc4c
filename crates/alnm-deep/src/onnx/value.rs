//! What passes between the operations of a network.

use std::borrow::Cow;

use alnm_imaging::parallel::for_each_part;
use rayon::prelude::*;

use crate::kernel::microkernel::Buffer;
use crate::kernel::workspace::Workspace;

/// Values of a tensor at most: 8 GiB of numbers in single precision.
const MAXIMUM_VALUES: usize = 1 << 31;

/// The number of values of a shape.
pub(super) fn count_of(shape: &[usize]) -> Result<usize, String> {
    let count = shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size));
    // Sizes of 0 must not hide others that overflow.
    let largest = shape.iter().try_fold(1usize, |count, size| count.checked_mul((*size).max(1)));
    match (count, largest) {
        (Some(count), Some(largest)) if largest <= MAXIMUM_VALUES => Ok(count),
        _ => Err(format!("the shape {shape:?} has more values than the limit of {MAXIMUM_VALUES}")),
    }
}

/// A tensor of any of the element types that are computed with.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Floats(Floats),
    Integers(Dense<i64>),
    Booleans(Dense<bool>),
}

/// Numbers in C order: the last dimension the fastest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dense<T> {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<T>,
}

/// How the numbers of a tensor (batch, channel, position...) lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// C order.
    Plain,
    /// The channel the fastest, as the kernels of convolutions take them.
    ChannelsLast,
}

/// A tensor in single precision.
#[derive(Debug, Clone)]
pub(super) struct Floats {
    shape: Vec<usize>,
    data: Buffer,
    layout: Layout,
}

impl Value {
    pub(super) fn floats(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self::Floats(Floats { shape, data: values.into(), layout: Layout::Plain })
    }

    pub(super) fn integers(shape: Vec<usize>, values: Vec<i64>) -> Self {
        Self::Integers(Dense { shape, values })
    }

    pub(super) fn booleans(shape: Vec<usize>, values: Vec<bool>) -> Self {
        Self::Booleans(Dense { shape, values })
    }

    /// The value in memory of its own.
    pub(super) fn into_owned(self) -> Self {
        match self {
            Self::Floats(Floats { shape, data, layout }) => {
                Self::Floats(Floats { shape, data: data.into_owned(), layout })
            }
            other => other,
        }
    }

    /// Number of values that it holds.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Floats(floats) => floats.data.len(),
            Self::Integers(integers) => integers.values.len(),
            Self::Booleans(booleans) => booleans.values.len(),
        }
    }

    pub(super) fn shape(&self) -> &[usize] {
        match self {
            Self::Floats(floats) => &floats.shape,
            Self::Integers(integers) => &integers.shape,
            Self::Booleans(booleans) => &booleans.shape,
        }
    }

    /// What its values are, for errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Floats(_) => "floating-point numbers",
            Self::Integers(_) => "integers",
            Self::Booleans(_) => "truth values",
        }
    }

    pub(super) fn as_floats(&self) -> Result<&Floats, String> {
        match self {
            Self::Floats(floats) => Ok(floats),
            other => Err(format!("an input holds {}; it must hold floating-point numbers", other.kind())),
        }
    }

    pub(super) fn as_integers(&self) -> Result<&Dense<i64>, String> {
        match self {
            Self::Integers(integers) => Ok(integers),
            other => Err(format!("an input holds {}; it must hold integers", other.kind())),
        }
    }

    pub(super) fn as_booleans(&self) -> Result<&Dense<bool>, String> {
        match self {
            Self::Booleans(booleans) => Ok(booleans),
            other => Err(format!("an input holds {}; it must hold truth values", other.kind())),
        }
    }
}

impl Layout {
    /// The place in memory of a dimension of `rank`.
    pub(super) fn stored_axis(self, axis: usize, rank: usize) -> usize {
        match (self, axis) {
            (Self::ChannelsLast, 1) => rank - 1,
            (Self::ChannelsLast, 2..) => axis - 1,
            _ => axis,
        }
    }
}

impl<T: Copy> Dense<T> {
    pub(super) fn new(shape: Vec<usize>, values: Vec<T>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Self { shape, values }
    }
}

impl Floats {
    /// A tensor in C order.
    pub(super) fn plain(shape: Vec<usize>, data: Buffer) -> Self {
        Self::new(shape, data, Layout::Plain)
    }

    pub(super) fn new(shape: Vec<usize>, data: Buffer, layout: Layout) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Self { shape, data, layout }
    }

    /// A tensor of any contents, where its size is within the limit.
    pub(super) fn take(workspace: &Workspace, shape: Vec<usize>, layout: Layout) -> Result<Self, String> {
        let count = count_of(&shape)?;
        Ok(Self::new(shape, workspace.take_buffer(count), layout))
    }

    /// Sizes of the dimensions, in ONNX's order: (batch, channel, position...), whatever the layout.
    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// The numbers as they lie in memory.
    pub(super) fn stored(&self) -> &[f32] {
        &self.data
    }

    pub(super) fn stored_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    pub(super) fn into_buffer(self) -> Buffer {
        self.data
    }

    /// A copy in the memory of a workspace.
    pub(super) fn copied(&self, workspace: &Workspace) -> Self {
        let mut data = workspace.take_buffer(self.data.len());
        data.copy_from_slice(&self.data);
        Self { shape: self.shape.clone(), data, layout: self.layout }
    }

    /// Whether both layouts are the same order.
    fn has_one_order(&self) -> bool {
        self.shape.len() < 3 || self.shape[1] == 1 || self.shape[2..].iter().product::<usize>() == 1
    }

    /// The numbers in a layout, copied only where they lie otherwise.
    pub(super) fn in_layout<'a>(&'a self, layout: Layout, workspace: &Workspace) -> Cow<'a, Self> {
        if self.layout == layout {
            return Cow::Borrowed(self);
        }
        let mut data = workspace.take_buffer(self.data.len());
        if self.has_one_order() {
            data.copy_from_slice(&self.data);
        } else {
            let (channels, positions) = (self.shape[1], self.shape[2..].iter().product());
            let (rows, columns) = if layout == Layout::Plain { (positions, channels) } else { (channels, positions) };
            transpose_matrices(&self.data, rows, columns, &mut data);
        }
        Cow::Owned(Self { shape: self.shape.clone(), data, layout })
    }

    /// Sizes of the dimensions in the order of memory.
    pub(super) fn stored_shape(&self) -> Vec<usize> {
        match self.layout {
            Layout::Plain => self.shape.clone(),
            Layout::ChannelsLast => {
                let mut shape = self.shape.clone();
                let channels = shape.remove(1);
                shape.push(channels);
                shape
            }
        }
    }

    /// The numbers in C order.
    pub(super) fn in_order(&self, workspace: &Workspace) -> Cow<'_, Self> {
        self.in_layout(Layout::Plain, workspace)
    }

    /// The numbers with the channel the fastest.
    pub(super) fn channels_last(&self, workspace: &Workspace) -> Cow<'_, Self> {
        self.in_layout(Layout::ChannelsLast, workspace)
    }
}

/// Transposes matrices of `rows` × `columns` one after another.
pub(super) fn transpose_matrices(from: &[f32], rows: usize, columns: usize, into: &mut [f32]) {
    /// Rows and columns of a block, whose lines stay in the first-level cache.
    const BLOCK: usize = 16;
    let size = rows * columns;
    if size == 0 {
        return;
    }
    from.par_chunks_exact(size).zip(into.par_chunks_exact_mut(size)).for_each(|(from, into)| {
        for_each_part(into, BLOCK * rows, &|strip, into| {
            let first = strip * BLOCK;
            let here = into.len() / rows;
            for start in (0..rows).step_by(BLOCK) {
                for row in start..rows.min(start + BLOCK) {
                    let line = &from[row * columns + first..][..here];
                    for (column, value) in line.iter().enumerate() {
                        into[column * rows + row] = *value;
                    }
                }
            }
        });
    });
}

/// The shape that two shapes have together by the rule of NumPy: dimensions are compared from the last on, and a size
/// of 1 is repeated.
pub(super) fn broadcast_shape(first: &[usize], second: &[usize]) -> Result<Vec<usize>, String> {
    let rank = first.len().max(second.len());
    let size = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let shape = (0..rank)
        .map(|axis| match (size(first, axis), size(second, axis)) {
            (a, b) if a == b || b == 1 => Ok(a),
            (1, b) => Ok(b),
            _ => Err(format!("the shapes {first:?} and {second:?} cannot be broadcast together")),
        })
        .collect::<Result<Vec<usize>, String>>()?;
    count_of(&shape)?;
    Ok(shape)
}

/// Distances of the elements along each dimension of `target` for a tensor of `shape` that is repeated to it.
pub(super) fn broadcast_strides(shape: &[usize], target: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; target.len()];
    let mut stride = 1;
    for (size, into) in shape.iter().rev().zip(strides.iter_mut().rev()) {
        *into = if *size == 1 { 0 } else { stride };
        stride *= size;
    }
    strides
}

/// Distances of the elements along each dimension in C order.
pub(super) fn strides_of(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// An axis counted from the end where it is negative, below `rank`.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let signed = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let place = signed.and_then(|axis| usize::try_from(axis).ok()).filter(|axis| *axis < rank);
    place.ok_or_else(|| format!("axis is {axis}; it must be one of {rank} dimensions"))
}

/// Calls `visit` with the place in C order and the offsets of several tensors for each run along the last dimension of
/// a shape. `strides` holds for each tensor the distances along every dimension; negative ones wrap around.
pub(super) fn for_each_run<const N: usize>(
    shape: &[usize],
    strides: [&[usize]; N],
    mut visit: impl FnMut(usize, [usize; N]),
) {
    if shape.contains(&0) {
        return;
    }
    let (outer, length) = match shape.split_last() {
        Some((last, outer)) => (outer, *last),
        None => (shape, 1),
    };
    let mut index = vec![0; outer.len()];
    let mut offsets = [0; N];
    let mut place = 0;
    loop {
        visit(place, offsets);
        place += length;
        let mut axis = outer.len();
        loop {
            let Some(here) = axis.checked_sub(1) else { return };
            axis = here;
            index[axis] += 1;
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset = offset.wrapping_add(strides[axis]);
            }
            if index[axis] < outer[axis] {
                break;
            }
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset = offset.wrapping_sub(strides[axis].wrapping_mul(outer[axis]));
            }
            index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::microkernel::Instructions;

    #[test]
    fn layouts_are_turned_into_each_other() {
        let workspace = Workspace::new(Instructions::best());
        let shape = vec![2, 19, 3, 37];
        let values: Vec<f32> = (0..2 * 19 * 3 * 37).map(|value| value as f32).collect();
        let plain = Floats::plain(shape, values.into());
        let last = plain.channels_last(&workspace).into_owned();
        assert_eq!(last.stored()[((3 + 2) * 37 + 5) * 19 + 7], plain.stored()[((19 + 7) * 3 + 2) * 37 + 5]);
        assert_eq!(last.in_order(&workspace).stored(), plain.stored());
    }

    #[test]
    fn shapes_are_broadcast_as_numpy_does() {
        assert_eq!(broadcast_shape(&[2, 1, 4], &[3, 1]), Ok(vec![2, 3, 4]));
        assert_eq!(broadcast_shape(&[], &[3]), Ok(vec![3]));
        assert!(broadcast_shape(&[2], &[3]).is_err());
        assert!(broadcast_shape(&[1 << 40, 1], &[1, 1 << 40]).is_err());
        assert_eq!(broadcast_strides(&[3, 1], &[2, 3, 4]), [0, 1, 0]);
        assert!(count_of(&[0, usize::MAX, 2]).is_err());
        assert_eq!(axis_of(-1, 3), Ok(2));
        assert!(axis_of(i64::MIN, 3).is_err());
        let mut runs = Vec::new();
        for_each_run(&[2, 2, 3], [&[6, 3, 1], &[0, 1, 0]], |place, offsets| runs.push((place, offsets)));
        assert_eq!(runs, [(0, [0, 0]), (3, [3, 1]), (6, [6, 0]), (9, [9, 1])]);
    }
}
