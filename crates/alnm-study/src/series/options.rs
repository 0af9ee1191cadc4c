//! The sections of `cohort.toml`.

use std::collections::BTreeSet;

use alnm_imaging::habitat::HabitatParams;
use alnm_imaging::kinetics::{KineticMap, VoxelKineticsParams};
use alnm_imaging::region::{Ring, RingParams};
use alnm_imaging::standardisation::{HistogramMatchingParams, NyulParams, WhiteStripeParams};
use alnm_radiomics::DeltaKind;
use alnm_registration::RegistrationParams;
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// What is taken from the images beside the analysed phase of the lesion.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `motion` | none | how phases are brought onto the analysed one |
/// | `phases` | none | further phases, kinetic maps and deltas |
/// | `regions` | none | rings and habitats |
/// | `standardise` | none | one scale of intensities |
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SeriesOptions {
    /// How phases are brought onto the analysed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motion: Option<RegistrationParams>,
    /// Further phases, kinetic maps and deltas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phases: Option<StudyPhases>,
    /// Rings and habitats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions: Option<StudyRegions>,
    /// One scale of intensities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standardise: Option<StudyStandard>,
}

/// `[phases]` of `cohort.toml`.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `further` | none | phases whose features are taken beside those of the analysed one, counted from 1 | ≥ 1, others than `phase`, each once |
/// | `deltas` | none | how features of later phases are compared with those of the first one that is taken | `difference`, `ratio`, `slope`; needs a further phase |
/// | `maps` | none | kinetic maps whose features are taken | names of [`KineticMap`] |
/// | `kinetics` | those of [`VoxelKineticsParams`] | how curves of voxels are read | |
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct StudyPhases {
    /// Phases whose features are taken beside those of the analysed one.
    pub further: Vec<usize>,
    /// How features are compared between phases.
    pub deltas: Vec<DeltaKind>,
    /// Kinetic maps whose features are taken.
    pub maps: Vec<KineticMap>,
    /// How curves of voxels are read.
    pub kinetics: VoxelKineticsParams,
}

/// `[regions]` of `cohort.toml`.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `rings` | none | bands of distances from the lesion's surface in mm, positive outwards, cut by Otsu's foreground | ascending, none in common |
/// | `habitats` | none | clusters of the lesion's voxels | |
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct StudyRegions {
    /// Bands of distances from the lesion's surface in mm, positive outwards.
    pub rings: Vec<[f64; 2]>,
    /// Clusters of the lesion's voxels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub habitats: Option<StudyHabitats>,
}

/// `[regions.habitats]` of `cohort.toml`.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `maps` | required | kinetic maps by which voxels are clustered; habitats are numbered by the one that `clusters.order_by` counts, from 0 |
/// | `clusters` | those of [`HabitatParams`] | method, number and order |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StudyHabitats {
    /// Kinetic maps by which voxels are clustered.
    pub maps: Vec<KineticMap>,
    /// Method, number and order.
    #[serde(default)]
    pub clusters: HabitatParams,
}

/// `[standardise]` of `cohort.toml`: the scale that intensities are brought onto, by the voxels of Otsu's foreground
/// (histogram matching looks at the whole image). Each phase has a scale of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StudyStandard {
    /// Landmarks averaged over training patients.
    Nyul(NyulParams),
    /// Quantiles averaged over training patients.
    HistogramMatching(HistogramMatchingParams),
    /// The reference tissue of each image at 0 with standard deviation 1; nothing is learned.
    WhiteStripe(WhiteStripeParams),
    /// Mean and standard deviation averaged over training patients.
    Site,
    /// Mean 0 and standard deviation 1; nothing is learned.
    ZScore,
}

impl StudyStandard {
    /// Whether it is learned on training patients.
    #[must_use]
    pub fn is_learned(&self) -> bool {
        matches!(self, Self::Nyul(_) | Self::HistogramMatching(_) | Self::Site)
    }
}

impl SeriesOptions {
    /// Whether anything is learned on training patients.
    #[must_use]
    pub fn learns(&self) -> bool {
        self.standardise.as_ref().is_some_and(StudyStandard::is_learned) || self.habitats().is_some()
    }

    /// Whether phases beside the analysed one are needed.
    #[must_use]
    pub fn needs_series(&self) -> bool {
        self.motion.is_some() || !self.further().is_empty() || !self.all_maps().is_empty()
    }

    /// The highest phase that an image has to have.
    pub(crate) fn last_phase(&self, analysed: usize) -> usize {
        let least = if self.all_maps().is_empty() { 1 } else { 2 };
        self.further().iter().copied().chain([analysed, least]).max().unwrap_or(analysed)
    }

    pub(crate) fn habitats(&self) -> Option<&StudyHabitats> {
        self.regions.as_ref()?.habitats.as_ref()
    }

    pub(crate) fn rings(&self) -> Option<RingParams> {
        let rings = &self.regions.as_ref()?.rings;
        (!rings.is_empty()).then(|| RingParams::new(rings.iter().map(|&[from, to]| Ring::new(from, to))))
    }

    /// The further phases in ascending order.
    pub(crate) fn further(&self) -> Vec<usize> {
        let further: BTreeSet<usize> =
            self.phases.as_ref().map_or_else(BTreeSet::new, |phases| phases.further.iter().copied().collect());
        further.into_iter().collect()
    }

    pub(crate) fn maps(&self) -> &[KineticMap] {
        self.phases.as_ref().map_or(&[], |phases| &phases.maps)
    }

    pub(crate) fn deltas(&self) -> &[DeltaKind] {
        self.phases.as_ref().map_or(&[], |phases| &phases.deltas)
    }

    /// The maps whose features are taken, then those that habitats need beside them.
    pub(crate) fn all_maps(&self) -> Vec<KineticMap> {
        let mut maps = self.maps().to_vec();
        let of_habitats = self.habitats().map_or(&[][..], |habitats| &habitats.maps);
        maps.extend(of_habitats.iter().filter(|map| !self.maps().contains(map)));
        maps
    }

    pub(crate) fn kinetics(&self) -> VoxelKineticsParams {
        self.phases.as_ref().map_or_else(VoxelKineticsParams::default, |phases| phases.kinetics)
    }

    /// Checks everything that can be told without an image.
    ///
    /// # Errors
    /// The section, its value, and what it must be.
    pub fn check(&self, analysed: usize) -> Result<()> {
        if let Some(motion) = &self.motion {
            motion.clone().check().map_err(|error| anyhow::anyhow!("[motion]: {error}"))?;
            ensure!(
                !self.further().is_empty() || !self.all_maps().is_empty(),
                "[motion] is set and no phase but {analysed} is used; name further phases, maps or habitats, or leave \
                 [motion] out"
            );
        }
        if let Some(phases) = &self.phases {
            self.check_phases(phases, analysed)?;
        }
        if let Some(regions) = &self.regions {
            ensure!(
                !regions.rings.is_empty() || regions.habitats.is_some(),
                "[regions] names neither rings nor habitats; name one, or leave the section out"
            );
        }
        if let Some(rings) = self.rings() {
            rings.check().map_err(|error| anyhow::anyhow!("[regions] rings: {error}"))?;
        }
        if let Some(StudyHabitats { maps, clusters }) = self.habitats() {
            let place = "[regions.habitats]";
            clusters.check().map_err(|error| anyhow::anyhow!("{place}: {error}"))?;
            ensure!(are_distinct(maps) && !maps.is_empty(), "{place} maps are {maps:?}; name at least one, each once");
            ensure!(
                clusters.order_by < maps.len(),
                "{place} order_by is {}; it must be below the number of maps, {}",
                clusters.order_by,
                maps.len()
            );
        }
        let of_scale = match &self.standardise {
            Some(StudyStandard::Nyul(params)) => params.clone().check().err(),
            Some(StudyStandard::HistogramMatching(params)) => params.check().err(),
            Some(StudyStandard::WhiteStripe(params)) => params.check().err(),
            _ => None,
        };
        of_scale.map_or(Ok(()), |error| Err(anyhow::anyhow!("[standardise]: {error}")))
    }

    fn check_phases(&self, phases: &StudyPhases, analysed: usize) -> Result<()> {
        let StudyPhases { further, deltas, maps, kinetics } = phases;
        kinetics.check().map_err(|error| anyhow::anyhow!("[phases] kinetics: {error}"))?;
        ensure!(
            are_distinct(further) && !further.contains(&0) && !further.contains(&analysed),
            "[phases] further is {further:?}; phases are counted from 1, stand there once, and {analysed} is analysed anyway"
        );
        ensure!(
            deltas.is_empty() || !further.is_empty(),
            "[phases] deltas are {deltas:?} and no further phase is named; name one to compare with"
        );
        ensure!(are_distinct(deltas), "[phases] deltas are {deltas:?}; each may stand there once");
        ensure!(are_distinct(maps), "[phases] maps are {maps:?}; each may stand there once");
        ensure!(
            !further.is_empty() || !maps.is_empty() || self.habitats().is_some(),
            "[phases] names neither further phases nor maps; name one, or leave the section out"
        );
        Ok(())
    }
}

fn are_distinct<T: PartialEq>(values: &[T]) -> bool {
    values.iter().enumerate().all(|(place, value)| !values[..place].contains(value))
}
