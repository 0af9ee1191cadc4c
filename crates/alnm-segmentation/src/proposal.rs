//! Lesions of a dynamic contrast-enhanced series, proposed without a seed.

use alnm_imaging::dce::DynamicSeries;
use alnm_imaging::distance::distance_to_region;
use alnm_imaging::region::{Connectivity, Roi, connected_components, crop};
use alnm_imaging::{Geometry, LabelMap, Volume};
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::breast::{BreastMask, BreastMaskParams};
use crate::error::{Result, SegmentationError};
use crate::fuzzy_c_means::FuzzyCMeansParams;
use crate::morphology::{StructuringElement, fill_holes, open};
use crate::speed::smoothed;

/// Share of the breast's median signal below which the signal before contrast counts as this share, so that dark voxels do
/// not seem to enhance.
const DARKEST: f64 = 0.2;

/// Change from the early to the last phase up to which a curve is a plateau (Kuhl et al., Radiology 211:101, 1999).
const PLATEAU: f64 = 0.1;

/// How lesions are proposed.
///
/// 1. The breasts are found in the first phase ([`BreastMaskParams`]): air and chest are left out.
/// 2. The relative enhancement (S − S₀) / S₀ of the early phase is smoothed by a voxel. Voxels above
///    [`enhancement`](Self::enhancement), opened by a ball against thin vessels, form connected candidates of at least
///    [`smallest_volume`](Self::smallest_volume).
/// 3. A candidate's score is its enhancement above the limit summed over its volume, times 1 for a curve that washes out by
///    more than 10 % until the last phase, 0.75 for a plateau and 0.5 for one that rises on, times its compactness: its
///    volume over that of the ball around its centroid that encloses it, to the power of 1/3. Its confidence is its share
///    in the sum of all scores: 1 where nothing else enhances.
/// 4. The curves of the voxels within [`margin`](Self::margin) of a candidate, as relative enhancement in all phases, are
///    clustered into lesion and surroundings by fuzzy c-means; the outline is the part above [`membership`](Self::membership)
///    that is connected with the candidate, with its holes filled (Chen, Giger and Bick, Academic Radiology 13:63, 2006).
///
/// | Field | Default | Meaning | Range |
/// |---|---|---|---|
/// | [`breast`](Self::breast) | | how the breasts are found | |
/// | [`early_seconds`](Self::early_seconds) | 120 | the last phase up to here is the early one; the second phase where times are not known | above 0 |
/// | [`enhancement`](Self::enhancement) | 0.5 | relative enhancement of candidates | above 0 |
/// | [`opening`](Self::opening) | 1 mm | radius of the ball against vessels; 0 leaves them | at least 0 |
/// | [`smallest_volume`](Self::smallest_volume) | 50 mm³ | volume of candidates | at least 0 |
/// | [`margin`](Self::margin) | 6 mm | surroundings in which voxels are clustered | above 0 |
/// | [`membership`](Self::membership) | 0.5 | share in the cluster of the lesion that voxels of the outline exceed | from 0 up to but not including 1 |
/// | [`candidates`](Self::candidates) | 5 | candidates at most | 1 to 1000 |
/// | [`clustering`](Self::clustering) | | fuzzy c-means | |
///
/// What is proposed has to be looked at by a reader. The rules were tried on simulated series alone; how often they find
/// lesions of patients is not known.
///
/// ```
/// use alnm_imaging::dce::DynamicSeries;
/// use alnm_imaging::{Geometry, Volume};
/// use alnm_segmentation::proposal::LesionProposalParams;
///
/// // A ball of 12 mm that enhances in a breast, with air in front.
/// let grid = Geometry::axis_aligned([24, 24, 12], [1.5, 1.5, 2.0])?;
/// let phase = |rise: f32| {
///     let voxels = ndarray::Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
///         let noise = ((7 * x + 3 * y + 5 * z) % 11) as f32;
///         let [x, y, z] = grid.index_to_point([x as f64, y as f64, z as f64]);
///         let inside = (x - 18.0).powi(2) + (y - 20.0).powi(2) + (z - 12.0).powi(2) <= 36.0;
///         if y < 6.0 { noise } else { 200.0 + noise + if inside { rise } else { 0.0 } }
///     });
///     Volume::new(voxels, grid.clone()).map(Into::into)
/// };
/// let phases = [0.0, 250.0, 200.0].map(phase).into_iter().collect::<Result<_, _>>()?;
/// let series = DynamicSeries::new(phases, vec![0.0, 90.0, 360.0])?;
/// let found = LesionProposalParams::default().check()?.propose(&series)?;
/// let lesion = &found.candidates[0];
/// // The voxels whose centres lie in the ball: 184 of 4.5 mm³.
/// assert_eq!((lesion.confidence, lesion.volume), (1.0, 828.0));
/// # Ok::<(), alnm_segmentation::SegmentationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct LesionProposalParams {
    /// How the breasts are found.
    pub breast: BreastMaskParams,
    /// The last phase up to so many seconds after the first is the early one. Default 120; above 0.
    pub early_seconds: f64,
    /// Relative enhancement of candidates. Default 0.5; above 0.
    pub enhancement: f64,
    /// Radius in mm of the ball that candidates are opened by. Default 1; at least 0.
    pub opening: f64,
    /// Volume of candidates in mm³. Default 50; at least 0.
    pub smallest_volume: f64,
    /// Surroundings in mm in which voxels are clustered. Default 6; above 0.
    pub margin: f64,
    /// Share in the cluster of the lesion that voxels of the outline exceed. Default 0.5; from 0 up to but not including 1.
    pub membership: f64,
    /// Candidates at most. Default 5; 1 to 1000.
    pub candidates: usize,
    /// Fuzzy c-means.
    pub clustering: FuzzyCMeansParams,
}

impl Default for LesionProposalParams {
    fn default() -> Self {
        Self {
            breast: BreastMaskParams::default(),
            early_seconds: 120.0,
            enhancement: 0.5,
            opening: 1.0,
            smallest_volume: 50.0,
            margin: 6.0,
            membership: 0.5,
            candidates: 5,
            clustering: FuzzyCMeansParams::default(),
        }
    }
}

impl LesionProposalParams {
    /// Sets [`LesionProposalParams::breast`].
    pub fn with_breast(self, breast: BreastMaskParams) -> Self {
        Self { breast, ..self }
    }

    /// Sets [`LesionProposalParams::early_seconds`].
    pub fn with_early_seconds(self, early_seconds: f64) -> Self {
        Self { early_seconds, ..self }
    }

    /// Sets [`LesionProposalParams::enhancement`].
    pub fn with_enhancement(self, enhancement: f64) -> Self {
        Self { enhancement, ..self }
    }

    /// Sets [`LesionProposalParams::opening`].
    pub fn with_opening(self, opening: f64) -> Self {
        Self { opening, ..self }
    }

    /// Sets [`LesionProposalParams::smallest_volume`].
    pub fn with_smallest_volume(self, smallest_volume: f64) -> Self {
        Self { smallest_volume, ..self }
    }

    /// Sets [`LesionProposalParams::margin`].
    pub fn with_margin(self, margin: f64) -> Self {
        Self { margin, ..self }
    }

    /// Sets [`LesionProposalParams::membership`].
    pub fn with_membership(self, membership: f64) -> Self {
        Self { membership, ..self }
    }

    /// Sets [`LesionProposalParams::candidates`].
    pub fn with_candidates(self, candidates: usize) -> Self {
        Self { candidates, ..self }
    }

    /// Sets [`LesionProposalParams::clustering`].
    pub fn with_clustering(self, clustering: FuzzyCMeansParams) -> Self {
        Self { clustering, ..self }
    }

    /// The rule with these parameters.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for a value outside its range.
    pub fn check(self) -> Result<LesionProposal> {
        self.breast.check()?;
        self.clustering.check()?;
        for (name, value, unit) in [
            ("end of the early phases", self.early_seconds, " s"),
            ("enhancement of candidates", self.enhancement, ""),
            ("margin of candidates", self.margin, " mm"),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(SegmentationError::parameter(name, format!("{value}{unit}"), "finite and above 0"));
            }
        }
        for (name, value, unit) in
            [("radius of the opening", self.opening, " mm"), ("smallest volume", self.smallest_volume, " mm³")]
        {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(SegmentationError::parameter(name, format!("{value}{unit}"), "finite and at least 0"));
            }
        }
        if self.opening > 50.0 || self.margin > 50.0 {
            let value = format!("{} and {} mm", self.opening, self.margin);
            return Err(SegmentationError::parameter("opening and margin of candidates", value, "at most 50 mm each"));
        }
        if !(0.0..1.0).contains(&self.membership) {
            let requirement = "from 0 up to but not including 1";
            return Err(SegmentationError::parameter("membership of the outline", self.membership, requirement));
        }
        if !(1..=1000).contains(&self.candidates) {
            return Err(SegmentationError::parameter("number of candidates", self.candidates, "from 1 to 1000"));
        }
        Ok(LesionProposal { params: self })
    }
}

/// The proposal of lesions with parameters that were checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LesionProposal {
    params: LesionProposalParams,
}

/// What a dynamic series proposes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProposedLesions {
    /// The candidates, by falling confidence; none where nothing enhances.
    pub candidates: Vec<LesionCandidate>,
    /// The outlines: 1 for the first candidate, 2 for the second. What several claim belongs to the first of them.
    pub mask: LabelMap,
    /// Share of each voxel in the cluster of its lesion; 0 outside of the outlines.
    pub membership: Volume<f32>,
    /// The breasts.
    pub breast: BreastMask,
    /// The early phase, from 0.
    pub early_phase: usize,
    /// Candidates that are left out, since [`LesionProposalParams::candidates`] were found before them.
    pub further_candidates: usize,
}

/// A part that enhances.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LesionCandidate {
    /// A point in mm (LPS) inside: the centre of the outline's voxel that lies deepest, as a seed for a contour.
    pub seed: [f64; 3],
    /// Distance in mm of the seed to the nearest voxel outside of the outline: radius of a bubble that lies inside.
    pub depth: f64,
    /// Volume of the outline in mm³.
    pub volume: f64,
    /// Mean relative enhancement of the candidate's voxels in the early phase, unsmoothed.
    pub enhancement: f64,
    /// Change of their mean signal from the largest early phase to the last, relative to the former; none without a late phase.
    pub delayed_change: Option<f64>,
    /// Volume over that of the ball that encloses them, to the power of 1/3: about 1 for a ball.
    pub compactness: f64,
    /// Share in the scores of all candidates, between 0 and 1.
    pub confidence: f64,
}

/// A candidate before it is outlined.
struct Part {
    voxels: Vec<usize>,
    enhancement: f64,
    delayed_change: Option<f64>,
    compactness: f64,
    score: f64,
}

/// The phases of a series, where contrast agent has come.
struct Phases<'a> {
    series: &'a DynamicSeries,
    first: Volume<f32>,
    /// The smallest signal before contrast that enhancement refers to.
    darkest: f64,
    early: usize,
}

impl Phases<'_> {
    /// The relative enhancement at a voxel whose signal in a phase is given.
    fn enhancement(&self, position: usize, signal: f32) -> f64 {
        let before = f64::from(self.first.as_slice()[position]);
        (f64::from(signal) - before) / before.max(self.darkest)
    }

    fn phase(&self, number: usize) -> Result<Volume<f32>> {
        let phase: Volume<f32> = self.series.images()[number].cast();
        phase.check_finite().map_err(|voxel| voxel.during("proposal of lesions"))?;
        Ok(phase)
    }

    fn count(&self) -> usize {
        self.series.phase_count()
    }
}

impl LesionProposal {
    /// The parameters.
    pub fn params(&self) -> LesionProposalParams {
        self.params
    }

    /// Proposes lesions of a series whose first phase is without contrast agent.
    ///
    /// # Errors
    /// [`SegmentationError::Parameter`] for fewer than two phases or for times none of which is early;
    /// [`SegmentationError::Imaging`] when a voxel is not finite or the first phase is constant.
    pub fn propose(&self, series: &DynamicSeries) -> Result<ProposedLesions> {
        let early = self.early_phase(series)?;
        let first: Volume<f32> = series.images()[0].cast();
        let breast = self.params.breast.check()?.of(&first)?;
        let darkest = DARKEST * median_inside(&first, &breast.mask);
        let phases = Phases { series, first, darkest, early };
        let mut parts = self.parts(&phases, &breast)?;
        let total: f64 = parts.iter().map(|part| part.score).sum();
        parts.sort_by(|a, b| b.score.total_cmp(&a.score));
        let further_candidates = parts.len().saturating_sub(self.params.candidates);
        parts.truncate(self.params.candidates);
        let grid = phases.first.geometry().clone();
        let mut found = ProposedLesions {
            candidates: Vec::new(),
            mask: Volume::filled(grid.clone(), 0),
            membership: Volume::filled(grid, 0.0),
            breast,
            early_phase: early,
            further_candidates,
        };
        for part in &parts {
            let (outline, memberships) = self.outlined(&phases, &found, part)?;
            let label = found.candidates.len() as u32 + 1;
            for (position, &inside) in outline.as_slice().iter().enumerate() {
                if inside == 1 && found.mask.as_slice()[position] == 0 {
                    found.mask.as_mut_slice()[position] = label;
                    found.membership.as_mut_slice()[position] = memberships.as_slice()[position];
                }
            }
            let Ok(region) = Roi::new(&found.mask, label) else { continue };
            let (seed, depth) = deepest(&region)?;
            found.candidates.push(LesionCandidate {
                seed,
                depth,
                volume: region.volume(),
                enhancement: part.enhancement,
                delayed_change: part.delayed_change,
                compactness: part.compactness,
                confidence: part.score / total,
            });
        }
        Ok(found)
    }

    fn early_phase(&self, series: &DynamicSeries) -> Result<usize> {
        let times = series.times();
        if times.len() < 2 {
            return Err(SegmentationError::parameter("number of phases", times.len(), "at least 2"));
        }
        if times.iter().any(|time| time.is_nan()) {
            return Ok(1);
        }
        let is_early = |phase: &usize| times[*phase] - times[0] <= self.params.early_seconds;
        (1..times.len()).rev().find(is_early).ok_or_else(|| {
            let value =
                format!("{} s, and the second phase comes at {} s", self.params.early_seconds, times[1] - times[0]);
            SegmentationError::parameter("end of the early phases", value, "after the second phase")
        })
    }

    /// The candidates in raster order, with their scores.
    fn parts(&self, phases: &Phases<'_>, breast: &BreastMask) -> Result<Vec<Part>> {
        let early = phases.phase(phases.early)?;
        let grid = early.geometry();
        let mut enhancement = Volume::filled(grid.clone(), 0.0_f32);
        for (position, voxel) in enhancement.as_mut_slice().iter_mut().enumerate() {
            if breast.mask.as_slice()[position] == 1 {
                *voxel = phases.enhancement(position, early.as_slice()[position]) as f32;
            }
        }
        let enhancement = smoothed(&enhancement, 1.0);
        let limit = self.params.enhancement as f32;
        let mut above = enhancement.map(|&value| u32::from(value > limit));
        above.as_mut_slice().iter_mut().zip(breast.mask.as_slice()).for_each(|(voxel, inside)| *voxel &= inside);
        let radius = grid.spacing().map(|spacing| (self.params.opening / spacing).round() as usize);
        if radius != [0; 3] {
            above = open(&above, 1, StructuringElement::Ball(radius));
        }
        let components = connected_components(&above, 1, Connectivity::Face);
        let fewest = self.params.smallest_volume / grid.voxel_volume();
        let kept = components.sizes.iter().take_while(|&&size| size as f64 >= fewest).count();
        let mut voxels = vec![Vec::new(); kept];
        for (position, &part) in components.map.as_slice().iter().enumerate() {
            if (1..=kept).contains(&(part as usize)) {
                voxels[part as usize - 1].push(position);
            }
        }
        let mut signals = vec![Vec::with_capacity(phases.count()); kept];
        for number in 0..phases.count() {
            let phase = phases.phase(number)?;
            for (signals, voxels) in signals.iter_mut().zip(&voxels) {
                signals.push(mean(voxels.iter().map(|&position| f64::from(phase.as_slice()[position]))));
            }
        }
        let of_part = |(voxels, signals): (Vec<usize>, Vec<f64>)| {
            let delayed_change = delayed_change(&signals, phases.early);
            let compactness = compactness(grid, &voxels);
            let excess: f64 = voxels.iter().map(|&at| f64::from(enhancement.as_slice()[at] - limit)).sum();
            let of_voxel = |&at: &usize| phases.enhancement(at, early.as_slice()[at]);
            Part {
                enhancement: mean(voxels.iter().map(of_voxel)),
                score: excess * grid.voxel_volume() * weight(delayed_change) * compactness,
                voxels,
                delayed_change,
                compactness,
            }
        };
        Ok(voxels.into_iter().zip(signals).map(of_part).collect())
    }

    /// The outline of a candidate, as 1, and the memberships in the cluster of the lesion around it.
    fn outlined(&self, phases: &Phases<'_>, found: &ProposedLesions, part: &Part) -> Result<(LabelMap, Volume<f32>)> {
        let grid = phases.first.geometry();
        let mut core = Volume::filled(grid.clone(), 0_u32);
        part.voxels.iter().for_each(|&position| core.as_mut_slice()[position] = 1);
        let around = surroundings(&core, self.params.margin, &found.breast.mask)?;
        let mut curves = Array2::<f64>::zeros((around.len(), phases.count() - 1));
        for number in 1..phases.count() {
            let phase = phases.phase(number)?;
            for (curve, &position) in curves.column_mut(number - 1).iter_mut().zip(&around) {
                *curve = phases.enhancement(position, phase.as_slice()[position]);
            }
        }
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            (0..around.len()).partition(|&row| core.as_slice()[around[row]] == 1);
        let mut memberships = Volume::filled(grid.clone(), 0.0_f32);
        if outside.is_empty() {
            part.voxels.iter().for_each(|&position| memberships.as_mut_slice()[position] = 1.0);
            return Ok((core, memberships));
        }
        let mut centres = Array2::<f64>::zeros((2, curves.ncols()));
        for (mut centre, rows) in centres.rows_mut().into_iter().zip([&inside, &outside]) {
            let sum = rows
                .iter()
                .fold(ndarray::Array1::zeros(curves.ncols()), |sum, &row| sum + curves.index_axis(Axis(0), row));
            centre.assign(&(sum / rows.len() as f64));
        }
        let clusters = self.params.clustering.check()?.fit(curves.view(), centres.view())?;
        for (row, &position) in around.iter().enumerate() {
            memberships.as_mut_slice()[position] = clusters.memberships[[row, 0]] as f32;
        }
        let limit = self.params.membership as f32;
        let above = memberships.map(|&membership| u32::from(membership > limit));
        let connected = connected_components(&above, 1, Connectivity::Face);
        let mut touched = vec![false; connected.sizes.len() + 1];
        part.voxels.iter().for_each(|&position| touched[connected.map.as_slice()[position] as usize] = true);
        touched[0] = false;
        let outline = connected.map.map(|&component| u32::from(touched[component as usize]));
        Ok((fill_holes(&outline, 1), memberships))
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// The median of an image inside of a mask; 0 of an empty one.
fn median_inside(image: &Volume<f32>, mask: &LabelMap) -> f64 {
    let inside = image.as_slice().iter().zip(mask.as_slice()).filter(|(_, label)| **label == 1);
    let mut values: Vec<f32> = inside.map(|(&value, _)| value).collect();
    values.sort_unstable_by(f32::total_cmp);
    values.get(values.len() / 2).map_or(0.0, |&value| f64::from(value).max(f64::MIN_POSITIVE))
}

/// The change of the mean signal from the largest of the phases from the second to the early one to the last phase.
fn delayed_change(signals: &[f64], early: usize) -> Option<f64> {
    let last = *signals.get(early + 1..)?.last()?;
    let highest = signals[1..=early].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some((last - highest) / highest)
}

/// How much a candidate counts by its late phase.
fn weight(delayed_change: Option<f64>) -> f64 {
    match delayed_change {
        Some(change) if change > PLATEAU => 0.5,
        Some(change) if change >= -PLATEAU => 0.75,
        _ => 1.0,
    }
}

fn compactness(grid: &Geometry, voxels: &[usize]) -> f64 {
    let point = |&position: &usize| grid.index_to_point(grid.index_of(position).map(|index| index as f64));
    let points: Vec<[f64; 3]> = voxels.iter().map(point).collect();
    let centroid: [f64; 3] = std::array::from_fn(|axis| mean(points.iter().map(|point| point[axis])));
    let squared = |point: &[f64; 3]| (0..3).map(|axis| (point[axis] - centroid[axis]).powi(2)).sum::<f64>();
    let farthest = points.iter().map(squared).fold(0.0, f64::max).sqrt();
    // To the voxel's border, so that one voxel alone has a ball.
    let radius = farthest + grid.voxel_volume().cbrt() / 2.0;
    let volume = voxels.len() as f64 * grid.voxel_volume();
    (volume / (4.0 / 3.0 * std::f64::consts::PI * radius.powi(3))).cbrt().min(1.0)
}

/// The voxels of the mask up to `margin` mm from the core, in raster order, with those of the core.
fn surroundings(core: &LabelMap, margin: f64, mask: &LabelMap) -> Result<Vec<usize>> {
    let grid = core.geometry();
    let region = Roi::new(core, 1)?;
    let finest = grid.spacing().into_iter().fold(f64::INFINITY, f64::min);
    let within = region.bounding_box().grown((margin / finest).ceil() as usize, grid.size());
    let distances = distance_to_region(&region, &within)?;
    let [width, height, _] = grid.size();
    let (start, part) = (within.start(), distances.geometry().clone());
    let position = |local: usize| {
        let index = part.index_of(local);
        let [x, y, z]: [usize; 3] = std::array::from_fn(|axis| start[axis] + index[axis]);
        (z * height + y) * width + x
    };
    let near = (0..part.voxel_count()).filter(|&local| distances.as_slice()[local] <= margin).map(position);
    Ok(near.filter(|&position| mask.as_slice()[position] == 1).collect())
}

/// The centre of the voxel of a region that lies farthest from all others, and that distance in mm; the first of equal ones.
fn deepest(region: &Roi<'_>) -> Result<([f64; 3], f64)> {
    // The nearest voxel outside is one of the box with a voxel more on every side.
    let part = crop(region.mask(), &region.bounding_box().grown(1, region.geometry().size()))?;
    let outside = part.map(|&voxel| u32::from(voxel != region.label()));
    let grid = outside.geometry();
    if !outside.as_slice().contains(&1) {
        let middle = grid.size().map(|count| (count as f64 - 1.0) / 2.0);
        return Ok((grid.index_to_point(middle), f64::INFINITY));
    }
    let distances = distance_to_region(&Roi::new(&outside, 1)?, &grid.voxel_box())?;
    let depth = |local: &usize| distances.as_slice()[*local];
    let order = |a: &usize, b: &usize| depth(a).total_cmp(&depth(b)).then(b.cmp(a));
    let deepest = (0..distances.as_slice().len()).max_by(order).unwrap_or_default();
    Ok((grid.index_to_point(grid.index_of(deepest).map(|index| index as f64)), depth(&deepest)))
}
