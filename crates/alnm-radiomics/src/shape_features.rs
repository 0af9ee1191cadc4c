//! The features of the shape of a prepared region.

use crate::error::{RadiomicsError, Result};
use crate::feature::{FeatureClass, FeatureValue, Selection};
use crate::image_features::named;
use crate::parameters::Settings;
use crate::preparation::Prepared;
use crate::region::region_mask;
use crate::warning::Warning;
use crate::{shape, shape2d};

/// The features of shape that are wanted, in the order of PyRadiomics' columns.
pub(crate) struct ShapeFeatures {
    pub(crate) features: Vec<FeatureValue>,
    /// Why features are missing.
    pub(crate) warnings: Vec<Warning>,
}

impl ShapeFeatures {
    /// Shape of the region, whose voxels are those `inside` in the box around it. PyRadiomics cuts the mask before
    /// resegmentation to the box after it.
    pub(crate) fn new(
        prepared: &Prepared<'_>,
        inside: &[bool],
        label: u32,
        settings: &Settings,
        classes: &[(FeatureClass, Selection)],
    ) -> Result<Self> {
        let geometry = prepared.mask.borrowed().geometry();
        let of_shape =
            prepared.shape_mask.as_ref().map(|mask| region_mask(mask.borrowed(), label, prepared.bounding_box));
        let inside = of_shape.as_deref().unwrap_or(inside);
        let size = prepared.bounding_box.shape();
        let [x, y, z] = geometry.spacing();
        let spacing = [z, y, x];
        let (mut features, mut warnings) = (Vec::new(), Vec::new());
        // PyRadiomics lists three-dimensional shape first, wherever the parameters name it.
        for wanted in [FeatureClass::Shape, FeatureClass::Shape2D] {
            let Some((class, selection)) = classes.iter().find(|(class, _)| *class == wanted) else {
                continue;
            };
            let slice = match (class, geometry.dimension()) {
                (FeatureClass::Shape, 2) => {
                    warnings.push(Warning::ShapeNeedsVolume);
                    continue;
                }
                (FeatureClass::Shape, _) => None,
                (_, 2) => Some(0),
                _ if !settings.force_2d => {
                    warnings.push(Warning::Shape2DNeedsForce2D);
                    continue;
                }
                // PyRadiomics looks up force2Ddimension, which counts from z, in a size that counts from x.
                _ if prepared.bounding_box.size()[settings.force_2d_dimension] <= 1 => {
                    warnings.push(Warning::Shape2DSkipped { dimension: settings.force_2d_dimension });
                    continue;
                }
                _ => Some(settings.force_2d_dimension),
            };
            let values = match slice {
                None => shape::features(&shape::Shape::new(inside, size, spacing), selection)?,
                Some(axis) if size[axis] > 1 => return Err(RadiomicsError::NotOneSlice { axis, slices: size[axis] }),
                Some(axis) => {
                    let (first, second) = [(1, 2), (0, 2), (0, 1)][axis];
                    let slice =
                        shape2d::Shape2D::new(inside, [size[first], size[second]], [spacing[first], spacing[second]]);
                    shape2d::features(&slice, selection)?
                }
            };
            features.extend(named("original", *class, values));
        }
        Ok(Self { features, warnings })
    }
}
