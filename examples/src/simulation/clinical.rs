//! Clinical variables and blood counts with the distributions of the published Table 1.

use alnm_study::cohort::{BloodCounts, Markers, Subtype};
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Standard deviation of the logarithm between quartiles of a log-normal variable.
const QUARTILE_DEVIATIONS: f64 = 1.348_979_5;

/// A log-normal variable given by the quartiles that a paper prints.
#[derive(Debug, Clone, Copy)]
struct LogNormal {
    median: f64,
    first_quartile: f64,
    third_quartile: f64,
}

impl LogNormal {
    const fn of(first_quartile: f64, median: f64, third_quartile: f64) -> Self {
        Self { median, first_quartile, third_quartile }
    }

    fn at(&self, normal: f64) -> f64 {
        let deviation = (self.third_quartile / self.first_quartile).ln() / QUARTILE_DEVIATIONS;
        self.median * (deviation * normal).exp()
    }
}

/// What the published Table 1 says of one group.
struct Group {
    age: (f64, f64),
    tumour_diameter: LogNormal,
    node_short_axis: LogNormal,
    neutrophil_lymphocyte: LogNormal,
    monocyte_lymphocyte: LogNormal,
    platelets: LogNormal,
    lymphocytes: LogNormal,
    /// Correlation of the logarithms of NLR and platelets: in the positive group SII varies less than NLR does, which
    /// is only possible when platelets fall where NLR rises.
    platelet_correlation: f64,
    /// Counts of (positive PR, positive ER, positive HER2, positive Ki-67) among `size`.
    markers: [usize; 4],
    /// Counts of HER2+, luminal A, luminal B, triple-negative among `size`.
    subtypes: [usize; 4],
    size: usize,
}

const NO_METASTASIS: Group = Group {
    age: (50.25, 9.63),
    tumour_diameter: LogNormal::of(1.496, 1.974, 2.684),
    node_short_axis: LogNormal::of(0.346, 0.450, 0.589),
    neutrophil_lymphocyte: LogNormal::of(1.06, 1.63, 2.19),
    monocyte_lymphocyte: LogNormal::of(0.12, 0.17, 0.25),
    platelets: LogNormal::of(209.0, 240.8, 277.0),
    lymphocytes: LogNormal::of(1.68, 1.95, 2.26),
    platelet_correlation: 0.0,
    markers: [84, 82, 45, 92],
    subtypes: [3, 10, 94, 5],
    size: 112,
};

const METASTASIS: Group = Group {
    age: (45.17, 10.64),
    tumour_diameter: LogNormal::of(2.560, 3.491, 4.477),
    node_short_axis: LogNormal::of(0.656, 1.076, 1.880),
    neutrophil_lymphocyte: LogNormal::of(1.58, 2.27, 3.22),
    monocyte_lymphocyte: LogNormal::of(0.15, 0.24, 0.32),
    platelets: LogNormal::of(229.0, 264.5, 305.0),
    lymphocytes: LogNormal::of(1.50, 1.81, 2.18),
    platelet_correlation: -0.5,
    markers: [72, 72, 35, 87],
    subtypes: [2, 7, 87, 4],
    size: 100,
};

/// Correlation of the logarithms of tumour diameter and node short axis within a group.
const SIZE_CORRELATION: f64 = 0.25;
/// Eosinophils and basophils per lymphocyte: what white cells hold beside the three counted kinds.
const OTHER_CELLS_PER_LYMPHOCYTE: f64 = 0.15;

/// Clinical variables of one simulated patient.
#[derive(Debug, Clone)]
pub(super) struct Clinical {
    pub(super) age_years: f64,
    pub(super) mtd_cm: f64,
    pub(super) sad_aln_cm: f64,
    pub(super) markers: Markers,
    pub(super) subtype: Subtype,
    pub(super) blood: BloodCounts,
}

/// How far a centre's groups lie apart, as a share of the published distance: 1 in the training centre.
#[derive(Debug, Clone, Copy)]
pub(super) struct Separation {
    pub(super) clinical: f64,
    pub(super) blood: f64,
}

/// The patients of one group of a centre: numbers are drawn, counts of categories are shared out exactly in proportion
/// to the published ones.
pub(super) fn draw_group(count: usize, alnm: bool, separation: Separation, seed: u64) -> Vec<Clinical> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let group = if alnm { &METASTASIS } else { &NO_METASTASIS };
    let drawn = group.markers.map(|positive| shuffled(count, positive, group.size, &mut generator));
    let subtypes = shuffled_subtypes(count, group, &mut generator);
    let markers = dealt_markers(&drawn, &subtypes);
    // Quantile by quantile instead of independent draws: the simulated quartiles then lie near the published ones in
    // every cohort, whatever the seed.
    let mut variables: Vec<Vec<f64>> = (0..6).map(|_| stratified_normals(count, &mut generator)).collect();
    let independent = variables.pop().expect("six variables were drawn");
    (0..count)
        .map(|index| {
            let z: Vec<f64> = variables.iter().map(|values| values[index]).collect();
            let draws = Draws {
                z: [z[0], z[1], z[2], z[3], z[4], independent[index]],
                lymphocytes: generator.sample(StandardNormal),
            };
            let measured = measure(group, &draws, separation);
            Clinical { markers: markers[index], subtype: subtypes[index], ..measured }
        })
        .collect()
}

struct Draws {
    /// Standard normal draws of age, diameter, short axis, NLR, MLR, platelets.
    z: [f64; 6],
    lymphocytes: f64,
}

fn measure(group: &Group, draws: &Draws, separation: Separation) -> Clinical {
    let [age, diameter, axis, nlr, mlr, platelets] = draws.z;
    let axis = SIZE_CORRELATION * diameter + (1.0 - SIZE_CORRELATION * SIZE_CORRELATION).sqrt() * axis;
    let rho = group.platelet_correlation;
    let platelets = rho * nlr + (1.0 - rho * rho).sqrt() * platelets;
    let towards_middle = |value: f64, of: fn(&Group) -> f64, share: f64| {
        let middle = (of(&NO_METASTASIS).ln() + of(&METASTASIS).ln()) / 2.0;
        (value.ln() + (1.0 - share) * (middle - of(group).ln())).exp()
    };
    let middle_age = (NO_METASTASIS.age.0 + METASTASIS.age.0) / 2.0;
    let age = group.age.0 + group.age.1 * age + (1.0 - separation.clinical) * (middle_age - group.age.0);
    let blood = separation.blood;
    let nlr = towards_middle(group.neutrophil_lymphocyte.at(nlr), |g| g.neutrophil_lymphocyte.median, blood);
    let mlr = towards_middle(group.monocyte_lymphocyte.at(mlr), |g| g.monocyte_lymphocyte.median, blood);
    let platelets = towards_middle(group.platelets.at(platelets), |g| g.platelets.median, blood);
    let lymphocytes = towards_middle(group.lymphocytes.at(draws.lymphocytes), |g| g.lymphocytes.median, blood);
    Clinical {
        age_years: age.clamp(28.0, 79.0).round(),
        mtd_cm: thousandths(
            towards_middle(group.tumour_diameter.at(diameter), |g| g.tumour_diameter.median, separation.clinical)
                .clamp(0.49, 11.94),
        ),
        sad_aln_cm: thousandths(
            towards_middle(group.node_short_axis.at(axis), |g| g.node_short_axis.median, separation.clinical)
                .clamp(0.15, 4.39),
        ),
        markers: Markers { pr: None, er: None, her2: None, ki67: None },
        subtype: Subtype::LuminalB,
        blood: BloodCounts {
            neutrophils: thousandths(nlr * lymphocytes),
            lymphocytes: thousandths(lymphocytes),
            monocytes: thousandths(mlr * lymphocytes),
            wbc: thousandths((nlr + mlr + 1.0 + OTHER_CELLS_PER_LYMPHOCYTE) * lymphocytes),
            platelets: platelets.round(),
        },
    }
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// `count` standard normal values, one from each of `count` equally likely intervals, in random order.
fn stratified_normals(count: usize, generator: &mut ChaCha8Rng) -> Vec<f64> {
    let mut values: Vec<f64> = StandardNormal.sample_iter(&mut *generator).take(count * 64).collect();
    values.sort_by(f64::total_cmp);
    let mut picked: Vec<f64> =
        values.chunks(64).map(|interval| interval[generator.random_range(0..interval.len())]).collect();
    picked.shuffle(generator);
    picked
}

fn shuffled(count: usize, positive: usize, of: usize, generator: &mut ChaCha8Rng) -> Vec<bool> {
    let share = (count * positive + of / 2) / of;
    let mut values: Vec<bool> = (0..count).map(|index| index < share).collect();
    values.shuffle(generator);
    values
}

/// Receptors that fit the subtypes: as many of each as were drawn, as far as the subtypes allow. Luminal tumours have a
/// hormone receptor, others none; HER2-positive ones have HER2, luminal A and triple-negative ones have not.
fn dealt_markers([pr, er, her2, ki67]: &[Vec<bool>; 4], subtypes: &[Subtype]) -> Vec<Markers> {
    let positive = |values: &[bool]| values.iter().filter(|value| **value).count();
    let of = |wanted: &[Subtype]| subtypes.iter().filter(|subtype| wanted.contains(subtype)).count();
    let luminal = of(&[Subtype::LuminalA, Subtype::LuminalB]);
    let with_er = positive(er).min(luminal);
    // The first luminal tumours have ER, the last have PR, and each has one of them at least.
    let with_pr = positive(pr).clamp(luminal - with_er, luminal);
    let mut her2_left = positive(her2).saturating_sub(of(&[Subtype::Her2Positive]));
    let mut place = 0;
    subtypes
        .iter()
        .zip(ki67)
        .map(|(subtype, &ki67)| {
            let is_luminal = matches!(subtype, Subtype::LuminalA | Subtype::LuminalB);
            let (er, pr) = (is_luminal && place < with_er, is_luminal && place >= luminal - with_pr);
            place += usize::from(is_luminal);
            let her2 = match subtype {
                Subtype::Her2Positive => true,
                Subtype::LuminalB if her2_left > 0 => {
                    her2_left -= 1;
                    true
                }
                _ => false,
            };
            Markers { pr: Some(pr), er: Some(er), her2: Some(her2), ki67: Some(ki67) }
        })
        .collect()
}

fn shuffled_subtypes(count: usize, group: &Group, generator: &mut ChaCha8Rng) -> Vec<Subtype> {
    let order = [Subtype::Her2Positive, Subtype::LuminalA, Subtype::LuminalB, Subtype::TripleNegative];
    let bounds: Vec<usize> = group
        .subtypes
        .iter()
        .scan(0, |sum, &n| {
            *sum += n;
            Some((*sum * count + group.size / 2) / group.size)
        })
        .collect();
    let mut values: Vec<Subtype> = (0..count)
        .map(|index| order[bounds.iter().position(|&bound| index < bound).unwrap_or(order.len() - 1)])
        .collect();
    values.shuffle(generator);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    #[test]
    fn the_training_centre_has_the_published_counts_and_medians() {
        let full = Separation { clinical: 1.0, blood: 1.0 };
        for (alnm, count, group) in [(false, 112, &NO_METASTASIS), (true, 100, &METASTASIS)] {
            let patients = draw_group(count, alnm, full, 5);
            let positive = |marker: fn(&Markers) -> Option<bool>| {
                patients.iter().filter(|p| marker(&p.markers) == Some(true)).count()
            };
            assert_eq!(
                [positive(|m| m.pr), positive(|m| m.er), positive(|m| m.her2), positive(|m| m.ki67)],
                group.markers
            );
            assert_eq!(patients.iter().filter(|p| p.subtype == Subtype::LuminalB).count(), group.subtypes[2]);
            let near = |values: Vec<f64>, published: f64| {
                let got = median(values);
                assert!((got / published - 1.0).abs() < 0.15, "{got} against {published}");
            };
            near(patients.iter().map(|p| p.mtd_cm).collect(), group.tumour_diameter.median);
            near(patients.iter().map(|p| p.sad_aln_cm).collect(), group.node_short_axis.median);
            near(patients.iter().map(|p| p.blood.sii()).collect(), if alnm { 600.5 } else { 392.5 });
            near(patients.iter().map(|p| p.blood.nlr()).collect(), if alnm { 2.27 } else { 1.63 });
            near(patients.iter().map(|p| p.blood.plr()).collect(), if alnm { 145.82 } else { 123.31 });
            near(patients.iter().map(|p| p.blood.wlr()).collect(), if alnm { 3.66 } else { 2.95 });
        }
    }
}
