//! Work on the parts of an array in parallel.
//!
//! What rayon does for a closure is compiled anew for each closure, and, in a function for every type of voxel, for
//! each type. Here it is compiled once for each type; a call through a pointer for each part, which is a row or more,
//! is not felt. The crates above use it too; it is no part of the public interface.

use rayon::prelude::*;

/// What is done with a part: it is given the part's number and its values.
type PartWork<'work, T, R> = dyn Fn(usize, &mut [T]) -> R + Sync + 'work;

/// Calls `work` for each part of `length` values, with the number of the part. The last part may be shorter.
pub fn for_each_part<T: Send>(values: &mut [T], length: usize, work: &PartWork<'_, T, ()>) {
    values.par_chunks_mut(length).enumerate().for_each(|(part, values)| work(part, values));
}

/// As [`for_each_part`], for work that may fail; then some error is given, and the rest may be left undone.
///
/// # Errors
/// One of those that `work` gives.
pub fn try_for_each_part<T: Send, E: Send>(
    values: &mut [T],
    length: usize,
    work: &PartWork<'_, T, Result<(), E>>,
) -> Result<(), E> {
    values.par_chunks_mut(length).enumerate().try_for_each(|(part, values)| work(part, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_worked_on_once() {
        let mut values = vec![0; 10];
        for_each_part(&mut values, 4, &|part, values| values.iter_mut().for_each(|value| *value += part + 1));
        assert_eq!(values, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]);
        let refused = try_for_each_part(&mut values, 4, &|part, values| {
            values.fill(0);
            if part == 2 { Err(part) } else { Ok(()) }
        });
        assert_eq!(refused, Err(2));
        assert_eq!(values[8..], [0, 0]);
    }
}
