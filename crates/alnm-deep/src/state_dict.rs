//! Parameters and running statistics by name.

use std::collections::BTreeMap;

use crate::error::{DeepError, Result};

/// Files of weights larger than 4 GiB are refused before they are read.
pub const MAXIMUM_FILE_BYTES: u64 = 4 << 30;

/// A tensor of parameters or running statistics in PyTorch's layout.
///
/// ```
/// use alnm_deep::StateTensor;
///
/// let bias = StateTensor::new(vec![3], vec![0.5, -1.0, 2.0])?;
/// assert_eq!((bias.shape(), bias.values()), (&[3][..], &[0.5, -1.0, 2.0][..]));
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StateTensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl StateTensor {
    /// A tensor of a shape; `values` are in C order, the last dimension the fastest.
    ///
    /// # Errors
    /// [`DeepError::Shape`] when the product of the sizes is not the number of values.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Result<Self> {
        let count = shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size));
        if count != Some(values.len()) {
            return Err(DeepError::Shape {
                operation: "tensor of a state dictionary",
                got: shape,
                expected: format!("a shape of {} values", values.len()),
            });
        }
        Ok(Self { shape, values })
    }

    /// A vector.
    pub(crate) fn vector(values: Vec<f32>) -> Self {
        Self { shape: vec![values.len()], values }
    }

    /// A tensor whose number of values is known to be that of its shape.
    pub(crate) fn of_shape(shape: &[usize], values: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Self { shape: shape.to_vec(), values }
    }

    /// Sizes of the dimensions; those of a convolution's weight are (output, input, row, column).
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values in C order.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values in C order, to be written to.
    #[must_use]
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The values in C order, without the shape.
    #[must_use]
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}

/// Parameters and running statistics by torchvision's names.
pub type StateDict = BTreeMap<String, StateTensor>;

/// Takes the tensors whose names begin with a prefix out of a dictionary; the prefix is cut off their names.
pub(crate) fn take_prefixed(tensors: &mut StateDict, prefix: &str) -> StateDict {
    let names: Vec<String> = tensors.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
    let taken = names.into_iter().filter_map(|name| tensors.remove_entry(&name));
    taken.map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor)).collect()
}
