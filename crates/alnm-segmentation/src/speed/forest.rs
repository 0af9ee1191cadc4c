//! Speed by a random forest that learns from scribbles.

use alnm_imaging::{Geometry, LabelMap, Volume};
use rand::rngs::ChaCha8Rng;
use rand::seq::index::sample;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::stored;
use crate::error::{Result, SegmentationError, check_same_grid};

/// Speed by a random forest (Breiman, Machine Learning 45:5, 2001) whose classes are drawn as scribbles: ITK-SNAP's
/// pre-segmentation "classification".
///
/// A voxel is described by the values of all images in a box around it and, if wanted, by its indices. Each tree learns
/// from as many scribbled voxels as there are, drawn with replacement; each of its nodes looks at the square root of
/// the number of features, and splits where Gini's impurity falls most. Beyond its border an image goes on as there.
/// ITK-SNAP's forest draws its splits at random; this one looks at all of them.
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`trees`](Self::trees) | 50 | number of trees | 1 to 10 000 |
/// | [`depth`](Self::depth) | 30 | splits above a leaf at most | 1 to 100 |
/// | [`radius`](Self::radius) | 0 | radius of the box in voxels (x, y, z) | at most 5 on each axis |
/// | [`position`](Self::position) | false | whether indices are features | |
/// | [`seed`](Self::seed) | 0 | of the random draws | |
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::speed::ForestParams;
///
/// // A bright block in a dark image, a scribble of eight voxels in each.
/// let grid = Geometry::axis_aligned([12, 12, 8], [1.0; 3])?;
/// let bright = |x: usize, y: usize| (3..8).contains(&x) && (3..9).contains(&y);
/// let voxels = ndarray::Array3::from_shape_fn((8, 12, 12), |(z, y, x)| {
///     (if bright(x, y) { 200.0_f32 } else { 50.0 }) + ((7 * x + 3 * y + 5 * z) % 11) as f32
/// });
/// let image = Volume::new(voxels, grid.clone())?;
/// let mut scribbles = Volume::filled(grid, 0_u32);
/// for z in 2..6 {
///     for (x, label) in [(0, 1), (1, 1), (5, 2), (6, 2)] {
///         scribbles.as_mut_slice()[(z * 12 + 5) * 12 + x] = label;
///     }
/// }
/// let forest = ForestParams::default().check()?.learn(&[&image], &scribbles)?;
/// let speed = forest.speed(&[&image], &[2])?;
/// assert!(speed.data()[[1, 4, 4]] > 0.9 && speed.data()[[6, 10, 10]] < -0.9);
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct ForestParams {
    /// Number of trees. Default 50; 1 to 10 000.
    pub trees: usize,
    /// Splits above a leaf at most. Default 30; 1 to 100.
    pub depth: usize,
    /// Radius of the box around a voxel, in voxels (x, y, z). Default 0; at most 5 on each axis.
    pub radius: [usize; 3],
    /// Whether indices are features. Default false.
    pub position: bool,
    /// Seed of the random draws. Default 0.
    pub seed: u64,
}

impl Default for ForestParams {
    fn default() -> Self {
        Self { trees: 50, depth: 30, radius: [0; 3], position: false, seed: 0 }
    }
}

impl ForestParams {
    /// Sets [`ForestParams::trees`].
    pub fn with_trees(self, trees: usize) -> Self {
        Self { trees, ..self }
    }

    /// Sets [`ForestParams::depth`].
    pub fn with_depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// Sets [`ForestParams::radius`].
    pub fn with_radius(self, radius: [usize; 3]) -> Self {
        Self { radius, ..self }
    }

    /// Sets [`ForestParams::position`].
    pub fn with_position(self, position: bool) -> Self {
        Self { position, ..self }
    }

    /// Sets [`ForestParams::seed`].
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The learning with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<ForestLearning> {
        if !(1..=10_000).contains(&self.trees) {
            return Err(SegmentationError::parameter("number of trees", self.trees, "from 1 to 10000"));
        }
        if !(1..=100).contains(&self.depth) {
            return Err(SegmentationError::parameter("depth of the trees", self.depth, "from 1 to 100"));
        }
        if self.radius.iter().any(|&radius| radius > 5) {
            let value = format!("{:?} voxels", self.radius);
            return Err(SegmentationError::parameter("radius of the box", value, "at most 5 on each axis"));
        }
        Ok(ForestLearning { params: self })
    }
}

/// The learning of a forest with parameters that were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForestLearning {
    params: ForestParams,
}

/// A forest that was learned from scribbles.
#[derive(Debug, Clone, PartialEq)]
pub struct ScribbleForest {
    params: ForestParams,
    /// The labels of the scribbles, ascending.
    labels: Vec<u32>,
    images: usize,
    trees: Vec<Tree>,
}

#[derive(Debug, Clone, PartialEq)]
struct Tree {
    /// The root first.
    nodes: Vec<Node>,
    /// For each leaf the share of each class.
    shares: Vec<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    /// Values up to the limit go to the first, others to the second.
    Split { feature: u32, limit: f32, branches: [u32; 2] },
    /// Where its shares begin.
    Leaf { shares: u32 },
}

/// What describes voxels.
struct Features<'a> {
    images: &'a [&'a Volume<f32>],
    size: [usize; 3],
    /// Steps (x, y, z) to the voxels of the box.
    steps: Vec<[isize; 3]>,
    position: bool,
}

impl<'a> Features<'a> {
    fn new(params: &ForestParams, images: &'a [&'a Volume<f32>]) -> Result<Self> {
        const OPERATION: &str = "random forest";
        let Some((first, others)) = images.split_first() else {
            return Err(SegmentationError::parameter("number of images", 0, "at least 1"));
        };
        for other in others {
            check_same_grid(OPERATION, first.geometry(), other.geometry())?;
        }
        for image in images {
            image.check_finite().map_err(|voxel| voxel.during(OPERATION))?;
        }
        let [rx, ry, rz] = params.radius.map(|radius| radius as isize);
        let steps = (-rz..=rz).flat_map(|z| (-ry..=ry).flat_map(move |y| (-rx..=rx).map(move |x| [x, y, z]))).collect();
        Ok(Self { images, size: first.geometry().size(), steps, position: params.position })
    }

    fn grid(&self) -> &Geometry {
        self.images[0].geometry()
    }

    fn count(&self) -> usize {
        self.images.len() * self.steps.len() + if self.position { 3 } else { 0 }
    }

    /// A feature of a voxel (x, y, z): the values of the box in the first image, then those in the others, then the
    /// indices.
    fn value(&self, index: [usize; 3], feature: usize) -> f32 {
        let (image, step) = (feature / self.steps.len(), feature % self.steps.len());
        let Some(image) = self.images.get(image) else {
            return index[feature - self.images.len() * self.steps.len()] as f32;
        };
        let step = self.steps[step];
        let at = |axis: usize| index[axis].saturating_add_signed(step[axis]).min(self.size[axis] - 1);
        image.as_slice()[(at(2) * self.size[1] + at(1)) * self.size[0] + at(0)]
    }
}

/// The scribbled voxels: features in rows, classes in numbers from 0.
struct Samples {
    features: usize,
    values: Vec<f32>,
    classes: Vec<usize>,
    class_count: usize,
}

impl Samples {
    fn value(&self, sample: usize, feature: usize) -> f32 {
        self.values[sample * self.features + feature]
    }

    fn counts(&self, samples: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.class_count];
        samples.iter().for_each(|&sample| counts[self.classes[sample]] += 1);
        counts
    }
}

/// A split with the sum over both sides of Σ nₖ² / n, which is largest where the impurity is smallest.
struct Split {
    feature: usize,
    limit: f32,
    purity: f64,
}

/// Σ nₖ² / n of a side.
fn purity(counts: &[usize]) -> f64 {
    let total: usize = counts.iter().sum();
    counts.iter().map(|&count| (count as f64).powi(2)).sum::<f64>() / total as f64
}

impl ForestLearning {
    /// The parameters.
    pub fn params(&self) -> ForestParams {
        self.params
    }

    /// Learns from images on one grid and from scribbles: labels of at least two classes, 0 where nothing is drawn.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] when there is no image or fewer than two labels; [`SegmentationError::Imaging`]
    /// when grids differ or a voxel is not finite.
    pub fn learn(&self, images: &[&Volume<f32>], scribbles: &LabelMap) -> Result<ScribbleForest> {
        let features = Features::new(&self.params, images)?;
        check_same_grid("random forest", features.grid(), scribbles.geometry())?;
        let mut labels: Vec<u32> = scribbles.as_slice().iter().copied().filter(|&label| label != 0).collect();
        labels.sort_unstable();
        labels.dedup();
        if labels.len() < 2 {
            let requirement = "at least 2: one inside of the structure and one outside";
            return Err(SegmentationError::parameter("number of labels of the scribbles", labels.len(), requirement));
        }
        let mut samples =
            Samples { features: features.count(), values: Vec::new(), classes: Vec::new(), class_count: labels.len() };
        for (position, label) in scribbles.as_slice().iter().enumerate().filter(|(_, label)| **label != 0) {
            let index = features.grid().index_of(position);
            samples.values.extend((0..features.count()).map(|feature| features.value(index, feature)));
            samples.classes.extend(labels.binary_search(label));
        }
        let tree = |number: usize| {
            let mut generator = ChaCha8Rng::seed_from_u64(self.params.seed);
            generator.set_stream(number as u64);
            self.tree(&samples, &mut generator)
        };
        let trees = (0..self.params.trees).into_par_iter().map(tree).collect();
        Ok(ScribbleForest { params: self.params, labels, images: images.len(), trees })
    }

    fn tree(&self, samples: &Samples, generator: &mut ChaCha8Rng) -> Tree {
        let count = samples.classes.len();
        let drawn: Vec<usize> = (0..count).map(|_| generator.random_range(0..count)).collect();
        let mut tree = Tree { nodes: vec![Node::Leaf { shares: 0 }], shares: Vec::new() };
        // Nodes whose samples wait for a split, with their depths.
        let mut open = vec![(0_usize, drawn, 0_usize)];
        while let Some((node, drawn, depth)) = open.pop() {
            let counts = samples.counts(&drawn);
            let is_pure = counts.iter().filter(|&&count| count > 0).count() == 1;
            let split =
                if is_pure || depth == self.params.depth { None } else { best_split(samples, &drawn, generator) };
            let Some(Split { feature, limit, .. }) = split else {
                tree.nodes[node] = Node::Leaf { shares: tree.shares.len() as u32 };
                tree.shares.extend(counts.iter().map(|&count| count as f32 / drawn.len() as f32));
                continue;
            };
            let (first, second) =
                drawn.into_iter().partition(|&sample: &usize| samples.value(sample, feature) <= limit);
            let branches = [tree.nodes.len() as u32, tree.nodes.len() as u32 + 1];
            tree.nodes[node] = Node::Split { feature: feature as u32, limit, branches };
            for (branch, side) in branches.into_iter().zip([first, second]) {
                tree.nodes.push(Node::Leaf { shares: 0 });
                open.push((branch as usize, side, depth + 1));
            }
        }
        tree
    }
}

/// The best split by one of some features that are drawn; none where all their values are equal.
fn best_split(samples: &Samples, drawn: &[usize], generator: &mut ChaCha8Rng) -> Option<Split> {
    let looked_at = (samples.features as f64).sqrt().round().max(1.0) as usize;
    let mut best: Option<Split> = None;
    for feature in sample(generator, samples.features, looked_at) {
        let mut order: Vec<(f32, usize)> =
            drawn.iter().map(|&sample| (samples.value(sample, feature), samples.classes[sample])).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut below = vec![0; samples.class_count];
        let mut above = samples.counts(drawn);
        for pair in order.windows(2) {
            let ((value, class), (next, _)) = (pair[0], pair[1]);
            below[class] += 1;
            above[class] -= 1;
            if value >= next {
                continue;
            }
            let found = purity(&below) + purity(&above);
            if best.as_ref().is_none_or(|best| found > best.purity) {
                let middle = value + (next - value) / 2.0;
                best = Some(Split { feature, limit: if middle < next { middle } else { value }, purity: found });
            }
        }
    }
    best
}

impl ScribbleForest {
    /// The labels of the scribbles, ascending.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The probability of one of these labels at every voxel: the mean of the trees' shares.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] when no label is given, one was not scribbled, or there are more or fewer
    /// images than were learned from; [`SegmentationError::Imaging`] when grids differ or a voxel is not finite.
    pub fn probability(&self, images: &[&Volume<f32>], foreground: &[u32]) -> Result<Volume<f32>> {
        if images.len() != self.images {
            let requirement = "that of the images that were learned from";
            return Err(SegmentationError::parameter("number of images", images.len(), requirement));
        }
        if foreground.is_empty() {
            return Err(SegmentationError::parameter("labels of the structure", "none", "at least one"));
        }
        let mut classes = Vec::with_capacity(foreground.len());
        for label in foreground {
            classes.push(self.labels.binary_search(label).map_err(|_| {
                let value = format!("{label}, and the scribbles have {:?}", self.labels);
                SegmentationError::parameter("label of the structure", value, "among those of the scribbles")
            })?);
        }
        classes.sort_unstable();
        classes.dedup();
        let features = Features::new(&self.params, images)?;
        let mut probability = Volume::filled(features.grid().clone(), 0.0_f32);
        probability.as_mut_slice().par_iter_mut().enumerate().with_min_len(1 << 10).for_each(|(position, voxel)| {
            let index = features.grid().index_of(position);
            let of_tree = |tree: &Tree| {
                let shares = tree.shares_at(|feature| features.value(index, feature));
                classes.iter().map(|&class| tree.shares[shares + class]).sum::<f32>()
            };
            *voxel = self.trees.iter().map(of_tree).sum::<f32>() / self.trees.len() as f32;
        });
        Ok(probability)
    }

    /// The speed image: the probability of the labels of the structure minus that of all others.
    ///
    /// # Errors
    /// As [`ScribbleForest::probability`].
    pub fn speed(&self, images: &[&Volume<f32>], foreground: &[u32]) -> Result<Volume<f32>> {
        Ok(self.probability(images, foreground)?.map(|&probability| stored(2.0 * probability - 1.0)))
    }
}

impl Tree {
    /// Where the shares of the leaf begin to which these features lead.
    fn shares_at(&self, value: impl Fn(usize) -> f32) -> usize {
        let mut node = 0;
        loop {
            match self.nodes[node] {
                Node::Leaf { shares } => return shares as usize,
                Node::Split { feature, limit, branches } => {
                    node = branches[usize::from(value(feature as usize) > limit)] as usize;
                }
            }
        }
    }
}
