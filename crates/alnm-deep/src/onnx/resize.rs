//! Resampling of positions to another grid.

use alnm_imaging::parallel::for_each_part;

use super::value::{Floats, Layout, count_of};
use crate::kernel::workspace::Workspace;

/// Where an element of the result lies in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coordinates {
    HalfPixel,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
}

/// Which element a position belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
}

/// How values between elements are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Interpolation {
    Nearest(Nearest),
    Linear,
    /// Keys' kernel with its parameter a; weights outside of the input may be left out and the others raised.
    Cubic {
        a: f32,
        excludes_outside: bool,
    },
}

/// A resampling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Resampling {
    pub(super) interpolation: Interpolation,
    pub(super) coordinates: Coordinates,
}

/// Elements of a line and their weights.
type Taps = Vec<(usize, f32)>;

impl Resampling {
    /// The elements that make each element of a result of `output` elements, `scale` times as many as the input's.
    fn taps(&self, input: usize, output: usize, scale: f64) -> Vec<Taps> {
        let last = input as i64 - 1;
        let inside = |place: i64| place.clamp(0, last) as usize;
        (0..output)
            .map(|place| {
                let place = place as f64;
                let at = match self.coordinates {
                    Coordinates::HalfPixel => (place + 0.5) / scale - 0.5,
                    Coordinates::PytorchHalfPixel if output == 1 => 0.0,
                    Coordinates::PytorchHalfPixel => (place + 0.5) / scale - 0.5,
                    Coordinates::AlignCorners if output == 1 => 0.0,
                    Coordinates::AlignCorners => place * (input as f64 - 1.0) / (output as f64 - 1.0),
                    Coordinates::Asymmetric => place / scale,
                };
                match self.interpolation {
                    Interpolation::Nearest(rule) => {
                        let place = match rule {
                            Nearest::RoundPreferFloor => (at - 0.5).ceil(),
                            Nearest::RoundPreferCeil => (at + 0.5).floor(),
                            Nearest::Floor => at.floor(),
                            Nearest::Ceil => at.ceil(),
                        };
                        vec![(inside(place as i64), 1.0)]
                    }
                    Interpolation::Linear => {
                        let at = at.clamp(0.0, last as f64);
                        let (low, share) = (at.floor() as i64, at - at.floor());
                        vec![(inside(low), (1.0 - share) as f32), (inside(low + 1), share as f32)]
                    }
                    Interpolation::Cubic { a, excludes_outside } => {
                        let (first, share) = (at.floor() as i64 - 1, at - at.floor());
                        let mut taps: Taps = (0..4)
                            .map(|tap| {
                                let place = first + tap;
                                let outside = excludes_outside && !(0..=last).contains(&place);
                                let weight =
                                    if outside { 0.0 } else { keys((share + 1.0 - tap as f64).abs(), f64::from(a)) };
                                (inside(place), weight as f32)
                            })
                            .collect();
                        if excludes_outside {
                            let total: f32 = taps.iter().map(|(_, weight)| weight).sum();
                            taps.iter_mut().for_each(|(_, weight)| *weight /= total);
                        }
                        taps
                    }
                }
            })
            .collect()
    }

    /// A tensor (batch, channel, position...) on another grid; the scales of batch and channel are 1.
    pub(super) fn apply(
        &self,
        floats: &Floats,
        sizes: &[usize],
        scales: &[f64],
        workspace: &Workspace,
    ) -> Result<Floats, String> {
        let shape = floats.shape();
        if sizes.len() != shape.len() || shape.len() < 3 || sizes[..2] != shape[..2] {
            return Err(format!("the shape {shape:?} cannot become {sizes:?}; only positions are resampled"));
        }
        if shape.contains(&0) || sizes.contains(&0) {
            return Err(format!("the shape {shape:?} cannot become {sizes:?}"));
        }
        count_of(sizes)?;
        let mut current = floats.channels_last(workspace).into_owned();
        let channels = shape[1];
        for axis in (2..shape.len()).filter(|axis| sizes[*axis] != shape[*axis] || scales[*axis] != 1.0) {
            let taps = self.taps(shape[axis], sizes[axis], scales[axis]);
            let mut next = current.shape().to_vec();
            let inner: usize = next[axis + 1..].iter().product::<usize>() * channels;
            next[axis] = sizes[axis];
            let mut output = Floats::take(workspace, next, Layout::ChannelsLast)?;
            let source = current.stored();
            for_each_part(output.stored_mut(), inner, &|line, into| {
                let (outer, place) = (line / taps.len(), line % taps.len());
                let from = |at: usize| &source[(outer * shape[axis] + at) * inner..][..inner];
                match taps[place][..] {
                    [(only, _)] => into.copy_from_slice(from(only)),
                    [(low, a), (high, b)] => {
                        for ((into, x), y) in into.iter_mut().zip(from(low)).zip(from(high)) {
                            *into = a * x + b * y;
                        }
                    }
                    ref taps => {
                        into.fill(0.0);
                        for (at, weight) in taps {
                            into.iter_mut().zip(from(*at)).for_each(|(into, x)| *into += weight * x);
                        }
                    }
                }
            });
            current = output;
        }
        Ok(current)
    }
}

/// Keys' cubic kernel at a distance.
fn keys(distance: f64, a: f64) -> f64 {
    let d = distance;
    if d <= 1.0 {
        ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        (((d - 5.0) * d + 8.0) * d - 4.0) * a
    } else {
        0.0
    }
}
