//! Features of grey images by an ONNX network.

use ndarray::{Array2, Axis};

use super::{OnnxNetwork, OnnxValue};
use crate::error::{DeepError, Result};
use crate::features::Views;
use crate::preparation::Preparation;

impl OnnxNetwork {
    /// The first output for a grey image (rows, columns) as one vector, averaged over its views: what
    /// [`features`](crate::features()) is for the backbones of this crate.
    ///
    /// The network's only input is (image, channel, row, column). With three channels all hold the image as the
    /// preparation normalises it; with one channel the image goes in as it is. A network whose rows and columns are
    /// fixed takes images of that size alone, unless the preparation resizes them.
    ///
    /// # Errors
    /// As [`OnnxNetwork::run`]; [`DeepError::Onnx`] for a network with another input, or whose output holds no
    /// floating-point numbers; [`DeepError::NotFinite`] for an image with values that are not finite.
    pub fn features(&self, image: &Array2<f32>, preparation: Preparation, views: Views) -> Result<Vec<f32>> {
        let failed = |reason: String| DeepError::Onnx { network: "for features".to_owned(), reason };
        let channels = match self.inputs() {
            [input] if input.shape.len() == 4 && matches!(input.shape[1], Some(1 | 3)) => input.shape[1],
            inputs => {
                return Err(failed(format!(
                    "the inputs are {inputs:?}; features of images need one input of four dimensions with 1 or 3 channels"
                )));
            }
        };
        if let Some((position, value)) = image.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let position = format!("pixel {position:?}");
            return Err(DeepError::NotFinite { operation: "image", position, value: f64::from(*value) });
        }
        let mut sum: Vec<f32> = Vec::new();
        let views = views.of(image);
        for view in &views {
            let input = if channels == Some(3) {
                let prepared = preparation.apply(view.view())?;
                prepared.view().permuted_axes([0, 3, 1, 2]).as_standard_layout().into_owned().into_dyn()
            } else {
                view.view().insert_axis(Axis(0)).insert_axis(Axis(0)).to_owned().into_dyn()
            };
            let output = self.run(vec![OnnxValue::Floats(input)])?.into_iter().next().and_then(OnnxValue::into_floats);
            let output = output.ok_or_else(|| failed("the output holds no floating-point numbers".to_owned()))?;
            if sum.is_empty() {
                sum = vec![0.0; output.len()];
            }
            sum.iter_mut().zip(&output).for_each(|(sum, value)| *sum += value);
        }
        Ok(sum.into_iter().map(|sum| sum / views.len() as f32).collect())
    }
}
