//! Activations as the engine keeps them.

use ndarray::{Array4, ArrayView3, ArrayView4};

use crate::error::{DeepError, Result};
use crate::kernel::microkernel::Buffer;

/// Single-precision activations in NHWC order: image, row, column, channel, the channel fastest.
///
/// The output of a fully connected layer is a vector per image; its height and width are 1.
///
/// An ndarray array is copied in by `From` ([`Array4`] or a view of it in NHWC order, of any strides), looked at
/// without a copy through [`Tensor::view`], and given back by `From` as well. Arrays in PyTorch's NCHW order are
/// permuted first.
///
/// ```
/// use alnm_deep::Tensor;
/// use ndarray::{Array4, array};
///
/// let nchw = Array4::from_shape_fn((2, 3, 32, 40), |(image, channel, y, x)| (image + channel + y * x) as f32);
/// let tensor = Tensor::from(nchw.view().permuted_axes([0, 2, 3, 1]));
/// assert_eq!(tensor.shape(), [2, 32, 40, 3]);
/// assert_eq!(tensor.view()[[1, 5, 7, 2]], nchw[[1, 2, 5, 7]]);
///
/// let array = Array4::from(tensor);
/// assert_eq!(array.slice(ndarray::s![0, 0, 0, ..]), array![0.0, 1.0, 2.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: [usize; 4],
    data: Buffer,
}

impl Tensor {
    /// Activations of the shape (images, height, width, channels), the channel fastest in `data`.
    ///
    /// # Errors
    /// [`DeepError::Shape`] when `data` holds another number of values.
    pub fn new(shape: [usize; 4], data: Vec<f32>) -> Result<Self> {
        check_count("values of the tensor", shape, data.len())?;
        Ok(Self { shape, data: data.into() })
    }

    /// A tensor of zeros of the shape (images, height, width, channels).
    #[must_use]
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
        check_count("values in NCHW order", shape, values.len())?;
        let mut tensor = Self::zeros(shape);
        let plane = height * width;
        if plane * channels == 0 {
            return Ok(tensor);
        }
        for (into, from) in tensor.data.chunks_exact_mut(plane * channels).zip(values.chunks_exact(plane * channels)) {
            for (channel, values) in from.chunks_exact(plane).enumerate() {
                for (pixel, &value) in values.iter().enumerate() {
                    into[pixel * channels + channel] = value;
                }
            }
        }
        Ok(tensor)
    }

    /// The images of several tensors as one batch.
    ///
    /// # Errors
    /// [`DeepError::Shape`] when the images differ in height, width or channels.
    pub fn stacked(tensors: &[Self]) -> Result<Self> {
        let [_, height, width, channels] = tensors.first().map_or([0; 4], Self::shape);
        if let Some(other) = tensors.iter().find(|tensor| tensor.shape[1..] != [height, width, channels]) {
            return Err(DeepError::Shape {
                operation: "stack of images",
                got: other.shape.to_vec(),
                expected: format!("{height} rows, {width} columns and {channels} channels, as the first has"),
            });
        }
        let shape = [tensors.iter().map(Self::images).sum(), height, width, channels];
        let mut stacked = Self::zeros(shape);
        let mut rest: &mut [f32] = &mut stacked.data;
        for tensor in tensors {
            let (here, after) = rest.split_at_mut(tensor.data.len());
            here.copy_from_slice(&tensor.data);
            rest = after;
        }
        Ok(stacked)
    }

    /// (images, height, width, channels).
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Number of images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.shape[0]
    }

    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.shape[3]
    }

    /// Pixels over all images: the rows of the matrix (pixels × channels) that the values form.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape[0] * self.shape[1] * self.shape[2]
    }

    /// The values, the channel fastest.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// The values to write to, the channel fastest.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The values as an ndarray view of (images, height, width, channels), without a copy.
    #[must_use]
    pub fn view(&self) -> ArrayView4<'_, f32> {
        ArrayView4::from_shape(self.shape, &self.data).expect("the number of values is that of the shape")
    }

    /// The values of one image.
    ///
    /// # Panics
    /// When `index` is not below the number of images.
    #[must_use]
    #[track_caller]
    pub fn image(&self, index: usize) -> &[f32] {
        let size = self.data.len() / self.shape[0];
        &self.data[index * size..(index + 1) * size]
    }

    /// The values, the channel fastest, without the shape.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.data.to_vec()
    }

    /// The values to look at.
    pub(crate) fn activations(&self) -> Activations<'_> {
        Activations { shape: self.shape, values: &self.data }
    }

    /// The memory alone.
    pub(crate) fn into_buffer(self) -> Buffer {
        self.data
    }

    /// One image as a batch of its own.
    pub(crate) fn single(&self, index: usize) -> Self {
        let [_, height, width, channels] = self.shape;
        Self { shape: [1, height, width, channels], data: self.image(index).to_vec().into() }
    }

    /// A tensor on the memory of another one of as many values.
    pub(crate) fn from_buffer(shape: [usize; 4], data: Buffer) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Self { shape, data }
    }

    /// The tensor in memory of its own, for callers who may keep it for long.
    pub(crate) fn into_owned(self) -> Self {
        Self { data: self.data.into_owned(), ..self }
    }
}

/// Activations in NHWC order that belong to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activations<'a> {
    shape: [usize; 4],
    values: &'a [f32],
}

impl<'a> Activations<'a> {
    /// Values of the shape (images, height, width, channels).
    pub(crate) fn new(shape: [usize; 4], values: &'a [f32]) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len());
        Self { shape, values }
    }

    /// (images, height, width, channels).
    pub(crate) fn shape(&self) -> [usize; 4] {
        self.shape
    }

    pub(crate) fn as_slice(&self) -> &'a [f32] {
        self.values
    }

    /// The values of one image.
    pub(crate) fn image(&self, index: usize) -> &'a [f32] {
        let size = self.values.len() / self.shape[0];
        &self.values[index * size..(index + 1) * size]
    }
}

fn check_count(operation: &'static str, shape: [usize; 4], count: usize) -> Result<()> {
    if shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size)) == Some(count) {
        return Ok(());
    }
    let [images, height, width, channels] = shape;
    Err(DeepError::Shape {
        operation,
        got: vec![count],
        expected: format!("{images} x {height} x {width} x {channels} values"),
    })
}

impl From<ArrayView4<'_, f32>> for Tensor {
    /// Copies an array of (images, height, width, channels).
    fn from(array: ArrayView4<'_, f32>) -> Self {
        let (images, height, width, channels) = array.dim();
        let data: Vec<f32> = array.iter().copied().collect();
        Self { shape: [images, height, width, channels], data: data.into() }
    }
}

impl From<Array4<f32>> for Tensor {
    /// Takes over an array of (images, height, width, channels).
    fn from(array: Array4<f32>) -> Self {
        if !array.is_standard_layout() {
            return array.view().into();
        }
        let (images, height, width, channels) = array.dim();
        let (data, offset) = array.into_raw_vec_and_offset();
        let start = offset.unwrap_or(0);
        let count = images * height * width * channels;
        let data = if start == 0 && data.len() == count { data } else { data[start..start + count].to_vec() };
        Self { shape: [images, height, width, channels], data: data.into() }
    }
}

impl From<ArrayView3<'_, f32>> for Tensor {
    /// Copies one image of (height, width, channels).
    fn from(image: ArrayView3<'_, f32>) -> Self {
        image.insert_axis(ndarray::Axis(0)).into()
    }
}

impl From<Tensor> for Array4<f32> {
    /// An array of (images, height, width, channels).
    fn from(tensor: Tensor) -> Self {
        tensor.view().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array() -> Array4<f32> {
        Array4::from_shape_fn((2, 3, 4, 5), |(image, y, x, channel)| (image * 1000 + y * 100 + x * 10 + channel) as f32)
    }

    #[test]
    fn arrays_come_back_whatever_their_strides() {
        assert_eq!(Array4::from(Tensor::from(array())), array());
        assert_eq!(Array4::from(Tensor::from(array().view())), array());
        let turned = array().permuted_axes([3, 2, 1, 0]);
        assert_eq!(Array4::from(Tensor::from(turned.clone())), turned);
        let part = array().slice_move(ndarray::s![1.., 1.., ..;2, ..3]);
        assert_eq!(Tensor::from(part.clone()).view(), part);
        let one = array().slice_move(ndarray::s![1..2, .., .., ..]);
        assert_eq!(Tensor::from(one.clone()).view(), one);
        assert_eq!(Tensor::from(array().index_axis(ndarray::Axis(0), 1)).view(), one);
    }

    #[test]
    fn a_stack_of_images_of_other_sizes_is_refused() {
        let [one, two] = [0, 1].map(|image| Tensor::from(array()).single(image));
        assert_eq!(Tensor::stacked(&[one.clone(), two]).unwrap().view(), array());
        assert!(matches!(Tensor::stacked(&[one, Tensor::zeros([1, 3, 5, 4])]), Err(DeepError::Shape { .. })));
        assert!(Tensor::new([2, 2, 2, 2], vec![0.0; 15]).is_err());
        assert!(Tensor::new([usize::MAX, 2, 2, 2], Vec::new()).is_err());
    }
}
