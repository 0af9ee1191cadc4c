//! The rows of feature maps, which are filled side by side.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::Result;
use crate::map_progress::RowWatch;

/// The voxels that have values in maps.
#[derive(Clone, Copy)]
pub(crate) struct MapRows<'a> {
    /// The voxels as runs along x, in raster order.
    pub(crate) runs: &'a [Range<usize>],
    pub(crate) watch: &'a RowWatch<'a>,
}

impl MapRows<'_> {
    /// Lets `fill` write the values of each run, straight into the maps: it is given room of its thread, the run, and of
    /// each map the piece along the run. Returns what it gives for each run.
    ///
    /// # Errors
    /// As `fill`, and where the watch is broken off.
    pub(crate) fn fill<R, T: Send>(
        &self,
        maps: &mut [Vec<f64>],
        room: impl Fn() -> R + Sync + Send,
        fill: impl Fn(&mut R, &Range<usize>, &mut [&mut [f64]]) -> Result<T> + Sync + Send,
    ) -> Result<Vec<T>> {
        let maps_of_run = maps.len().max(1);
        let mut pieces = self.pieces(maps);
        let of_runs = self.runs.par_iter().zip(pieces.par_chunks_mut(maps_of_run));
        let of_run = |room: &mut R, (run, pieces): (&Range<usize>, &mut [&mut [f64]])| {
            self.watch.row(run, || fill(room, run, pieces))
        };
        of_runs.map_init(room, of_run).collect()
    }

    /// The pieces of maps along the runs: run after run, and of a run map after map.
    fn pieces<'m>(&self, maps: &'m mut [Vec<f64>]) -> Vec<&'m mut [f64]> {
        let mut pieces = Vec::with_capacity(self.runs.len() * maps.len());
        let mut remaining: Vec<&mut [f64]> = maps.iter_mut().map(Vec::as_mut_slice).collect();
        let mut passed = 0;
        for run in self.runs {
            for remaining in &mut remaining {
                let (_, from_run) = std::mem::take(remaining).split_at_mut(run.start - passed);
                let (piece, later) = from_run.split_at_mut(run.len());
                pieces.push(piece);
                *remaining = later;
            }
            passed = run.end;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::map_progress::MapProgress;

    #[test]
    fn each_value_is_put_where_its_voxel_lies() {
        let go_on = |_: &MapProgress<'_>| ControlFlow::Continue(());
        let rows = MapRows { runs: &[1..3, 3..4, 6..8], watch: &RowWatch::new(&go_on, "original") };
        let mut maps = vec![vec![-1.0; 9]; 2];
        let lengths = rows.fill(
            &mut maps,
            || (),
            |(), run, pieces| {
                for (place, piece) in pieces.iter_mut().enumerate() {
                    piece.iter_mut().zip(run.clone()).for_each(|(value, voxel)| *value = (10 * place + voxel) as f64);
                }
                Ok(run.len())
            },
        );
        assert_eq!(lengths.unwrap(), [2, 1, 2]);
        assert_eq!(maps[0], [-1.0, 1.0, 2.0, 3.0, -1.0, -1.0, 6.0, 7.0, -1.0]);
        assert_eq!(maps[1], [-1.0, 11.0, 12.0, 13.0, -1.0, -1.0, 16.0, 17.0, -1.0]);
    }
}
