//! Activations as the engine keeps them.

use crate::error::{DeepError, Result};
use crate::kernel::microkernel::Buffer;

/// Single-precision activations in NHWC order: image, row, column, channel, the channel fastest.
///
/// A vector per image, as the output of a fully connected layer, has height and width 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: [usize; 4],
    data: Buffer,
}

impl Tensor {
    /// Activations of the shape (images, height, width, channels).
    ///
    /// # Errors
    /// [`DeepError::Shape`] when `data` holds another number of values.
    pub fn new(shape: [usize; 4], data: Vec<f32>) -> Result<Self> {
        if shape.iter().product::<usize>() != data.len() {
            return Err(DeepError::Shape {
                operation: "tensor",
                got: vec![data.len()],
                expected: format!("{shape:?} values"),
            });
        }
        Ok(Self { shape, data: data.into() })
    }

    /// A tensor of zeros.
    pub fn zeros(shape: [usize; 4]) -> Self {
        Self { shape, data: Buffer::zeros(shape.iter().product()) }
    }

    /// The activations of values in NCHW order, as PyTorch lays them out.
    ///
    /// # Errors
    /// [`DeepError::Shape`] when `values` does not hold `images · channels · height · width` numbers.
    ///
    /// ```
    /// # use alnm_deep::Tensor;
    /// let tensor = Tensor::from_nchw([1, 2, 1, 2], &[1.0, 2.0, 10.0, 20.0])?;
    /// assert_eq!(tensor.as_slice(), [1.0, 10.0, 2.0, 20.0]);
    /// # Ok::<(), alnm_deep::DeepError>(())
    /// ```
    pub fn from_nchw([images, channels, height, width]: [usize; 4], values: &[f32]) -> Result<Self> {
        let shape = [images, height, width, channels];
        if shape.iter().product::<usize>() != values.len() {
            return Err(DeepError::Shape {
                operation: "from_nchw",
                got: vec![values.len()],
                expected: format!("{shape:?} values"),
            });
        }
        let mut tensor = Self::zeros(shape);
        let plane = height * width;
        for (into, from) in tensor.data.chunks_exact_mut(plane * channels).zip(values.chunks_exact(plane * channels)) {
            for (channel, values) in from.chunks_exact(plane).enumerate() {
                for (pixel, &value) in values.iter().enumerate() {
                    into[pixel * channels + channel] = value;
                }
            }
        }
        Ok(tensor)
    }

    /// (images, height, width, channels).
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.shape[0]
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.shape[3]
    }

    /// Pixels over all images: the rows of the matrix (pixels × channels) that the values form.
    pub fn rows(&self) -> usize {
        self.shape[0] * self.shape[1] * self.shape[2]
    }

    /// The values, the channel fastest.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// The values to write to.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The values of one image.
    pub fn image(&self, index: usize) -> &[f32] {
        let size = self.data.len() / self.shape[0];
        &self.data[index * size..(index + 1) * size]
    }

    /// The values alone.
    pub fn into_vec(self) -> Vec<f32> {
        self.data.to_vec()
    }

    /// A tensor on the memory of another one of as many values.
    pub(crate) fn from_buffer(shape: [usize; 4], data: Buffer) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Self { shape, data }
    }

    /// The memory alone.
    pub(crate) fn into_buffer(self) -> Buffer {
        self.data
    }
}
