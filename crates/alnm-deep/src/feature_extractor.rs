//! What every network that computes features offers, whatever computes it.

use ndarray::{Array2, ArrayView3};

use crate::backbone::Backbone;
use crate::error::Result;
use crate::preparation::Preparation;
use crate::tensor::Tensor;

/// A network whose outputs can be read at every stage: [`crate::Predictor`] computes on this processor, `CandleNetwork`
/// (feature `candle`) on the device that candle uses.
///
/// ```
/// use alnm_deep::{Backbone, FeatureExtractor, Head, Initialisation, Network, Predictor};
/// use ndarray::Array3;
///
/// let network = Network::initialised(Backbone::ResNet18, Head::None, Initialisation::new(7));
/// let predictor = Predictor::new(&network);
/// // Three grey images of 40 x 48 pixels.
/// let stack = Array3::from_shape_fn((3, 40, 48), |(image, y, x)| ((image + x * y) % 17) as f32 / 16.0);
/// let input = predictor.input_of_stack(stack.view())?;
/// assert_eq!(input.shape(), [3, 40, 48, 3]);
/// assert_eq!(predictor.output(input.clone(), "layer4")?.shape(), [3, 2, 2, 512]);
/// assert_eq!(predictor.output(input, "fc")?.shape(), [3, 1, 1, 1000]);
/// # Ok::<(), alnm_deep::DeepError>(())
/// ```
pub trait FeatureExtractor {
    /// The architecture of the network without its head.
    fn backbone(&self) -> Backbone;

    /// How grey images are made into inputs.
    fn preparation(&self) -> Preparation;

    /// Names of the outputs that can be read, in order of computation; see the table at [`Backbone`].
    fn stages(&self) -> Vec<&str>;

    /// The output named `stage` for a batch of images of three channels, of at least 32 × 32 pixels and finite values:
    /// (images, height, width, channels). `fc` is the vector of 1000 features, `head` the logit.
    ///
    /// # Errors
    /// [`crate::DeepError::UnknownStage`], [`crate::DeepError::Shape`] for images of another shape than the network
    /// takes, [`crate::DeepError::NotFinite`] for a value that is not finite.
    fn output(&self, input: Tensor, stage: &str) -> Result<Tensor>;

    /// The input that the preparation makes of a grey image (rows, columns).
    ///
    /// # Errors
    /// As [`Preparation::apply`].
    fn input(&self, image: &Array2<f32>) -> Result<Tensor> {
        self.preparation().apply(image.view())
    }

    /// The input that the preparation makes of a stack of grey images (image, rows, columns).
    ///
    /// # Errors
    /// As [`Preparation::apply`].
    fn input_of_stack(&self, images: ArrayView3<'_, f32>) -> Result<Tensor> {
        let preparation = self.preparation();
        let inputs = images.outer_iter().map(|image| preparation.apply(image)).collect::<Result<Vec<_>>>()?;
        Tensor::stacked(&inputs)
    }

    /// The output named `stage` for many inputs, one vector per image, computed in batches of `batch` inputs. Outputs
    /// with rows and columns are laid out as in a [`Tensor`], the channel fastest. The inputs of a batch are of one
    /// size.
    ///
    /// # Errors
    /// As [`FeatureExtractor::output`].
    fn vectors(&self, inputs: &[Tensor], stage: &str, batch: usize) -> Result<Vec<Vec<f32>>> {
        let mut vectors = Vec::with_capacity(inputs.len());
        for inputs in inputs.chunks(batch.max(1)) {
            let output = self.output(Tensor::stacked(inputs)?, stage)?;
            vectors.extend((0..output.images()).map(|image| output.image(image).to_vec()));
        }
        Ok(vectors)
    }
}
