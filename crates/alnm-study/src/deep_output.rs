//! The vector that is read out of a network for each lesion.

use alnm_deep::{FEATURES, FeatureExtractor, Predictor, Tensor};
use anyhow::{Result, ensure};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The output of a network that is used, and the number of images in a batch.
///
/// The last bits of an output depend on the number of images in a batch, since small batches are computed by other
/// kernels. So every batch has the same number: the last is filled up, and a new patient is read in a batch as large as
/// those of training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DeepOutput {
    /// Name of the output.
    pub stage: String,
    /// Images of a batch.
    pub batch: usize,
}

impl Default for DeepOutput {
    /// The 1000 outputs of the last fully connected layer, in batches of 8.
    fn default() -> Self {
        Self { stage: "fc".to_owned(), batch: 8 }
    }
}

impl DeepOutput {
    /// Refuses an output that no network of this crate has.
    ///
    /// # Errors
    /// Which field is outside its range.
    pub fn check(&self) -> Result<()> {
        ensure!(self.stage == "fc", "output of the network is {:?}; it must be \"fc\"", self.stage);
        ensure!((1..=64).contains(&self.batch), "images of a batch are {}; they must be 1 to 64", self.batch);
        Ok(())
    }

    /// The vectors of at most a batch of crops; a smaller batch is filled up with its last crop.
    ///
    /// # Errors
    /// When a crop has another side than the network takes, or a value that is not finite.
    pub fn read(&self, predictor: &Predictor, crops: &[Array2<f32>]) -> Result<Vec<Vec<f32>>> {
        let Some(last) = crops.last() else { return Ok(Vec::new()) };
        ensure!(crops.len() <= self.batch, "{} crops are more than a batch of {}", crops.len(), self.batch);
        let filled = crops.iter().chain(std::iter::repeat(last)).take(self.batch);
        let batch: Vec<Tensor> = filled.map(alnm_deep::network_input).collect();
        let mut vectors = predictor.vectors(&batch, &self.stage, self.batch)?;
        vectors.truncate(crops.len());
        Ok(vectors)
    }
}

/// Names of the outputs as features: `deep_0` to `deep_999`.
#[must_use]
pub fn deep_feature_names() -> Vec<String> {
    (0..FEATURES).map(|index| format!("deep_{index}")).collect()
}

#[cfg(test)]
mod tests {
    use alnm_deep::{Backbone, Head, Initialisation, Network};

    use super::*;

    #[test]
    fn a_crop_has_the_same_vector_alone_and_among_others() {
        let network = Network::initialised(Backbone::ResNet18, Head::Logit, Initialisation::new(3));
        let predictor = Predictor::new(&network);
        let crop = |seed: usize| Array2::from_shape_fn((64, 64), |(y, x)| ((y * seed + 3 * x) % 17) as f32 / 17.0);
        let crops: Vec<Array2<f32>> = (1..9).map(crop).collect();
        let output = DeepOutput::default();
        let together = output.read(&predictor, &crops).unwrap();
        for (place, of_crop) in together.iter().enumerate() {
            let alone = output.read(&predictor, &crops[place..=place]).unwrap();
            assert_eq!(alone.first(), Some(of_crop), "{place}");
        }
        assert!(output.read(&predictor, &[]).unwrap().is_empty());
        assert!(output.read(&predictor, &vec![crop(1); 9]).is_err());
        assert!(DeepOutput { batch: 0, ..output.clone() }.check().is_err());
        assert!(DeepOutput { stage: "head".to_owned(), ..output }.check().is_err());
    }
}
