//! The exact p-value of a table of any size by a network, after Mehta and Patel (1983), met in the middle.
//!
//! Tables are filled column by column. A node of layer k holds the row totals that are left after k columns, in
//! ascending order, since their order does not matter. From the first layer to the middle one, nodes keep the products
//! Π 1/cell! of the columns filled so far and their number; from the last layer back to the middle one, those of the
//! columns still to be filled. At each node of the middle layer both lists are joined. Upper and lower bounds of what
//! the other columns can contribute settle the probability of most of both lists at once.
//!
//! Logarithms of products are integers in units of 2⁻ᵏ, sums of the rounded logarithms of primes: equal products are
//! equal integers, whatever their factors and their order.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rayon::prelude::*;
use statrs::function::factorial::ln_factorial;

use super::RELATIVE_FUZZ;
use crate::error::{Result, StatsError};

/// What rounding may add to a bound, in nats.
const MARGIN: f64 = 1e-6;
/// Fillings and list entries that are looked at for each entry that the limit allows.
const WORK_PER_ENTRY: u64 = 250;

/// P(table at most as probable as one with Σ −ln cell! = `log_observed`) of tables with these totals, all above 0.
pub(super) fn p_value(rows: &[u64], columns: &[u64], log_observed: f64, limit: usize) -> Result<f64> {
    Network::new(rows, columns, log_observed, limit).p_value()
}

/// ln k! in integer units.
struct LogFactorials {
    /// Units per nat.
    unit: f64,
    values: Vec<i64>,
}

impl LogFactorials {
    /// Of 0 to `largest`, where sums do not exceed those of a table with `count` observations.
    fn new(largest: usize, count: u64) -> Self {
        /// Largest error of the sum of a table, in nats.
        const LARGEST_ERROR: f64 = 1e-9;
        let room = 4.0 * ln_factorial(count).max(1.0);
        let unit = (2.0f64.powi(62) / room).log2().floor().min(52.0).exp2();
        let nearest = |log: f64| (log * unit).round() as i64;
        // The prime 2 divides a factorial of k less than k times, and the others less often.
        let values = if 2.0 * count as f64 / unit < LARGEST_ERROR {
            let mut divisor: Vec<usize> = (0..=largest).collect();
            for prime in 2..=largest {
                if divisor[prime] == prime {
                    (prime * prime..=largest).step_by(prime).for_each(|multiple| divisor[multiple] = prime);
                }
            }
            let mut logs = vec![0; largest + 1];
            let mut factorials = vec![0; largest + 1];
            for k in 2..=largest {
                let prime = divisor[k];
                logs[k] = if prime == k { nearest((k as f64).ln()) } else { logs[prime] + logs[k / prime] };
                factorials[k] = factorials[k - 1] + logs[k];
            }
            factorials
        } else {
            (0..=largest).map(|k| nearest(ln_factorial(k as u64))).collect()
        };
        Self { unit, values }
    }

    fn units(&self, nats: f64) -> i64 {
        (nats * self.unit).round() as i64
    }

    fn exp(&self, units: i64) -> f64 {
        (units as f64 / self.unit).exp()
    }
}

/// What the columns before or after a layer can contribute, as sums over the rows of functions of their totals.
struct Bounds {
    /// Upper bound of Σ −ln cell!: this, and the entry of every row total.
    largest: i64,
    largest_of_row: Vec<i64>,
    /// Upper bound of Σ ln cell!.
    fullest: i64,
    fullest_of_row: Vec<i64>,
}

impl Bounds {
    /// Of columns with these totals and rows up to `largest_row`.
    ///
    /// Upper bound of Σ −ln x!: with λⱼ the logarithm of the share of column j, Σ λⱼ x over a column is known, and
    /// the columns need not be met otherwise (Lagrange): each row by itself takes the mode of a multinomial
    /// distribution. Lower bound: each row fills the largest columns first.
    fn new(columns: &[usize], largest_row: usize, logs: &LogFactorials) -> Self {
        let total: usize = columns.iter().sum();
        let shares: Vec<f64> = columns.iter().map(|&c| (c as f64 / total as f64).ln()).collect();
        let constant: f64 = -columns.iter().zip(&shares).map(|(&c, share)| c as f64 * share).sum::<f64>();
        let mut cells = vec![0usize; columns.len()];
        let mut mode = 0.0;
        let mut largest_of_row = vec![0; largest_row + 1];
        for row in 1..=largest_row.min(total) {
            let gain = |j: usize| shares[j] - ((cells[j] + 1) as f64).ln();
            let mut best = 0;
            for j in 1..columns.len() {
                if gain(j) > gain(best) {
                    best = j;
                }
            }
            mode += gain(best);
            cells[best] += 1;
            largest_of_row[row] = logs.units(mode);
        }
        let mut descending = columns.to_vec();
        descending.sort_unstable_by(|a, b| b.cmp(a));
        let fullest = |row: usize| {
            let mut left = row;
            let fill = |column: &usize| {
                let cell = left.min(*column);
                left -= cell;
                logs.values[cell]
            };
            descending.iter().map(fill).sum::<i64>()
        };
        Self {
            largest: logs.units(constant + MARGIN),
            largest_of_row,
            fullest: logs.units(MARGIN),
            fullest_of_row: (0..=largest_row).map(fullest).collect(),
        }
    }
}

/// Products of some columns with the same totals of the rows.
#[derive(Default)]
struct Ways {
    /// Σ −ln cell!, ascending.
    values: Vec<i64>,
    /// In how many ways each comes about.
    counts: Vec<f64>,
    /// Σ count · exp(value − reference) of the values before each, and of all.
    mass: Vec<f64>,
    reference: i64,
    /// Mass of the values that are extreme whatever the other columns hold; not among the values.
    settled: f64,
}

impl Ways {
    fn new(entries: Vec<(i64, f64)>, reference: Option<i64>, settled: f64, logs: &LogFactorials) -> Self {
        let reference = reference.or(entries.last().map(|e| e.0)).unwrap_or(0);
        let mut mass = Vec::with_capacity(entries.len() + 1);
        let mut sum = 0.0;
        mass.push(sum);
        for &(value, count) in &entries {
            sum += count * logs.exp(value - reference);
            mass.push(sum);
        }
        let (values, counts) = entries.into_iter().unzip();
        Self { values, counts, mass, reference, settled }
    }

    /// Number of values up to a bound.
    fn up_to(&self, bound: i64) -> usize {
        match (self.values.first(), self.values.last()) {
            (Some(first), Some(last)) if *first <= bound && bound < *last => {
                self.values.partition_point(|v| *v <= bound)
            }
            (Some(_), Some(last)) if *last <= bound => self.values.len(),
            _ => 0,
        }
    }
}

/// The nodes of a layer that are not settled as a whole.
struct Layer {
    /// Totals of the rows of all nodes, each in ascending order.
    totals: Vec<usize>,
    /// Π (number of equal totals)! of each node.
    ties: Vec<f64>,
    ways: Vec<Ways>,
    hashes: Vec<u128>,
    slots: Vec<u32>,
}

impl Layer {
    const EMPTY: u32 = u32::MAX;

    fn new(totals: Vec<usize>, width: usize, hash_of: &[u128]) -> Self {
        let count = totals.len() / width;
        let mut slots = vec![Self::EMPTY; (2 * count).next_power_of_two().max(2)];
        let (mut hashes, mut ties) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (number, node) in totals.chunks_exact(width).enumerate() {
            let hash = node.iter().fold(0u128, |sum, &total| sum.wrapping_add(hash_of[total]));
            let mut slot = hash as usize & (slots.len() - 1);
            while slots[slot] != Self::EMPTY {
                slot = (slot + 1) & (slots.len() - 1);
            }
            slots[slot] = number as u32;
            hashes.push(hash);
            ties.push(node.chunk_by(|a, b| a == b).map(|equal| ln_factorial(equal.len() as u64)).sum::<f64>().exp());
        }
        Self { totals, ties, ways: Vec::new(), hashes, slots }
    }

    fn find(&self, hash: u128) -> Option<usize> {
        let mut slot = hash as usize & (self.slots.len() - 1);
        loop {
            let number = self.slots[slot];
            if number == Self::EMPTY {
                return None;
            }
            if self.hashes[number as usize] == hash {
                return Some(number as usize);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

/// Sums of counts by value.
struct Accumulator {
    slots: Vec<(i64, f64)>,
    used: Vec<usize>,
}

impl Accumulator {
    const EMPTY: i64 = i64::MIN;

    fn new() -> Self {
        Self { slots: vec![(Self::EMPTY, 0.0); 1 << 10], used: Vec::new() }
    }

    fn slot(&self, value: i64) -> usize {
        let bits = self.slots.len().trailing_zeros();
        let mut slot = ((value as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize;
        while self.slots[slot].0 != value && self.slots[slot].0 != Self::EMPTY {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }

    fn add(&mut self, value: i64, count: f64) {
        let slot = self.slot(value);
        if self.slots[slot].0 == value {
            self.slots[slot].1 += count;
            return;
        }
        self.slots[slot] = (value, count);
        self.used.push(slot);
        if 2 * self.used.len() > self.slots.len() {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let larger = vec![(Self::EMPTY, 0.0); 4 * self.slots.len()];
        let smaller = std::mem::replace(&mut self.slots, larger);
        for k in 0..self.used.len() {
            let entry = smaller[self.used[k]];
            let slot = self.slot(entry.0);
            self.slots[slot] = entry;
            self.used[k] = slot;
        }
    }

    /// What was added, by ascending values; nothing is left.
    fn take(&mut self) -> Vec<(i64, f64)> {
        let mut entries: Vec<(i64, f64)> = self.used.iter().map(|&slot| self.slots[slot]).collect();
        for slot in self.used.drain(..) {
            self.slots[slot].0 = Self::EMPTY;
        }
        entries.sort_unstable_by_key(|entry| entry.0);
        entries
    }
}

/// The ways to share an amount over places with given capacities, and what each place adds to a sum.
struct Sharing<'a, A> {
    capacity: &'a [usize],
    /// Σ capacities after each place.
    room: Vec<usize>,
    advance: A,
}

impl<'a, A> Sharing<'a, A> {
    fn new(capacity: &'a [usize], advance: A) -> Self {
        let mut room = vec![0; capacity.len()];
        for place in (1..capacity.len()).rev() {
            room[place - 1] = room[place] + capacity[place];
        }
        Self { capacity, room, advance }
    }

    /// Calls `leaf` with the shares and the sum of every way to share `amount` over the places from `place` on.
    fn visit<P: Copy>(
        &self,
        shares: &mut [usize],
        place: usize,
        amount: usize,
        sum: P,
        leaf: &mut impl FnMut(&[usize], P),
    ) where
        A: Fn(P, usize, usize) -> P,
    {
        if place + 1 == self.capacity.len() {
            shares[place] = amount;
            leaf(shares, (self.advance)(sum, place, amount));
            return;
        }
        for share in amount.saturating_sub(self.room[place])..=amount.min(self.capacity[place]) {
            shares[place] = share;
            self.visit(shares, place + 1, amount - share, (self.advance)(sum, place, share), leaf);
        }
    }
}

/// What is summed over the rows while a column is filled or emptied.
#[derive(Clone, Copy)]
struct Filling {
    hash: u128,
    /// Σ −ln cell!
    cells: i64,
    /// Upper bound of the later columns.
    largest: i64,
    /// Σ −ln total! of what is left.
    left: i64,
}

const NO_FILLING: Filling = Filling { hash: 0, cells: 0, largest: 0, left: 0 };

struct Network {
    /// In ascending order.
    rows: Vec<usize>,
    /// Columns, in the order in which they are filled.
    stages: Vec<usize>,
    logs: LogFactorials,
    hash_of: Vec<u128>,
    /// Of the columns before and from each layer on.
    earlier: Vec<Bounds>,
    later: Vec<Bounds>,
    /// ln Σ Π 1/cell! of the columns from each layer on is this less Σ ln total! of the rows.
    completions: Vec<i64>,
    /// Tables up to this Σ −ln cell! are extreme.
    bound: i64,
    limit: usize,
    work: AtomicU64,
}

/// What the bounds say of a node.
#[derive(PartialEq)]
enum Fate {
    /// Every table through it is extreme.
    Extreme,
    /// None is.
    Ordinary,
    Open,
}

impl Network {
    fn new(rows: &[u64], columns: &[u64], log_observed: f64, limit: usize) -> Self {
        let count: u64 = rows.iter().sum();
        let sorted = |totals: &[u64]| {
            let mut totals: Vec<usize> = totals.iter().map(|&t| t as usize).collect();
            totals.sort_unstable();
            totals
        };
        let (rows, mut stages) = (sorted(rows), sorted(columns));
        // Long columns first leave fewer ways for the rest.
        stages.reverse();
        let (largest_row, largest_column) = (rows[rows.len() - 1], stages[0]);
        let logs = LogFactorials::new(largest_row.max(largest_column), count);
        let mut state = 0u128;
        let hash_of = (0..=largest_row)
            .map(|_| {
                // A linear congruential generator; its high half is mixed into the low one.
                state =
                    state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(0x5851_f42d_4c95_7f2d);
                state ^ (state >> 67)
            })
            .collect();
        let layers = 0..=stages.len();
        let earlier = layers.clone().map(|k| Bounds::new(&stages[..k], largest_row, &logs)).collect();
        let later = layers.clone().map(|k| Bounds::new(&stages[k..], largest_row, &logs)).collect();
        let completions = layers
            .map(|k| {
                let total: usize = stages[k..].iter().sum();
                logs.units(ln_factorial(total as u64)) - stages[k..].iter().map(|&s| logs.values[s]).sum::<i64>()
            })
            .collect();
        let bound = logs.units(log_observed + RELATIVE_FUZZ.ln_1p());
        Self { rows, stages, logs, hash_of, earlier, later, completions, bound, limit, work: AtomicU64::new(0) }
    }

    fn p_value(&self) -> Result<f64> {
        let whole = self.completion_sum(&self.rows, 0);
        if self.fate(&self.rows, 0) == Fate::Extreme {
            return Ok(1.0);
        }
        let (last, middle) = (self.stages.len(), self.stages.len() / 2);
        let one = |reference| Ways::new(vec![(0, 1.0)], Some(reference), 0.0, &self.logs);
        let mut behind = Layer::new(vec![0; self.rows.len()], self.rows.len(), &self.hash_of);
        behind.ways.push(one(0));
        for k in (middle + 1..last).rev() {
            let mut layer = self.open_nodes(k)?;
            layer.ways =
                self.of_each_node(&layer, |accumulator, node| self.later_ways(accumulator, node, k, &behind))?;
            behind = layer;
        }
        let mut extreme = 0.0;
        let mut ahead = Layer::new(self.rows.clone(), self.rows.len(), &self.hash_of);
        ahead.ways.push(one(0));
        for k in 1..=middle {
            let settled: Vec<f64> =
                self.of_numbers(&ahead, |_, number| self.settled_mass(&ahead, number, k - 1, whole))?;
            extreme += settled.iter().sum::<f64>();
            if k == middle {
                break;
            }
            let mut layer = self.open_nodes(k)?;
            layer.ways =
                self.of_each_node(&layer, |accumulator, node| self.earlier_ways(accumulator, node, k, &ahead))?;
            ahead = layer;
        }
        let layer = self.open_nodes(middle)?;
        let joined: Vec<f64> = self.of_numbers(&layer, |accumulator, number| {
            let node = &layer.totals[number * self.rows.len()..][..self.rows.len()];
            let before = if middle == 0 { one(0) } else { self.earlier_ways(accumulator, node, middle, &ahead)? };
            if before.values.is_empty() {
                return Ok(0.0);
            }
            let after = self.later_ways(accumulator, node, middle, &behind)?;
            let extreme_after = |value: &i64| after.settled + after.mass[after.up_to(self.bound - value)];
            let mass: f64 = before
                .values
                .iter()
                .zip(&before.counts)
                .map(|(value, count)| count * self.logs.exp(value - before.reference) * extreme_after(value))
                .sum();
            Ok(mass * self.logs.exp(before.reference + after.reference - whole))
        })?;
        Ok(extreme + joined.iter().sum::<f64>())
    }

    /// A result for every node of a layer, in their order.
    fn of_numbers<T: Send>(
        &self,
        layer: &Layer,
        of_node: impl Fn(&mut Accumulator, usize) -> Result<T> + Sync + Send,
    ) -> Result<Vec<T>> {
        (0..layer.ties.len()).into_par_iter().map_init(Accumulator::new, of_node).collect()
    }

    fn of_each_node(
        &self,
        layer: &Layer,
        of_node: impl Fn(&mut Accumulator, &[usize]) -> Result<Ways> + Sync,
    ) -> Result<Vec<Ways>> {
        let width = self.rows.len();
        let kept = AtomicUsize::new(0);
        self.of_numbers(layer, |accumulator, number| {
            let ways = of_node(accumulator, &layer.totals[number * width..][..width])?;
            self.require(kept.fetch_add(ways.values.len(), Ordering::Relaxed) + ways.values.len())?;
            Ok(ways)
        })
    }

    fn require(&self, entries: usize) -> Result<()> {
        if entries > self.limit { Err(self.too_large()) } else { Ok(()) }
    }

    fn too_large(&self) -> StatsError {
        StatsError::TooLarge { operation: "Fisher's exact test", limit: self.limit, unit: "network entries" }
    }

    /// Fillings and entries that may be looked at.
    fn most_work(&self) -> u64 {
        WORK_PER_ENTRY.saturating_mul(self.limit as u64)
    }

    /// Refuses more work than the limit allows.
    fn spend(&self, work: f64) -> Result<()> {
        let most = self.most_work();
        let before = self.work.fetch_add(work.min(most as f64 + 1.0) as u64, Ordering::Relaxed);
        if before > most || work > most as f64 { Err(self.too_large()) } else { Ok(()) }
    }

    /// Bound on the number of ways to share an amount over places of these capacities.
    fn most_sharings(capacity: &[usize], amount: usize) -> f64 {
        let free = &capacity[..capacity.len() - 1];
        free.iter().map(|&c| c.min(amount) as f64 + 1.0).product()
    }

    /// ln Σ Π 1/cell! of the columns from a layer on.
    fn completion_sum(&self, node: &[usize], layer: usize) -> i64 {
        self.completions[layer] - node.iter().map(|&total| self.logs.values[total]).sum::<i64>()
    }

    /// Upper bound of Σ −ln cell! of the columns from a layer on.
    fn largest_later(&self, node: &[usize], layer: usize) -> i64 {
        let bounds = &self.later[layer];
        bounds.largest + node.iter().map(|&total| bounds.largest_of_row[total]).sum::<i64>()
    }

    /// Lower bound of the same.
    fn smallest_later(&self, node: &[usize], layer: usize) -> i64 {
        let bounds = &self.later[layer];
        -bounds.fullest - node.iter().map(|&total| bounds.fullest_of_row[total]).sum::<i64>()
    }

    /// Upper bound of Σ −ln cell! of the columns before a layer. Of all assignments of the totals to rows the sorted
    /// one has the largest bound, since that of a row is concave.
    fn largest_earlier(&self, node: &[usize], layer: usize) -> i64 {
        let bounds = &self.earlier[layer];
        let of_row = |(row, total): (&usize, &usize)| bounds.largest_of_row[row - total];
        bounds.largest + self.rows.iter().zip(node).map(of_row).sum::<i64>()
    }

    /// Lower bound of the same.
    fn smallest_earlier(&self, layer: usize) -> i64 {
        let bounds = &self.earlier[layer];
        -bounds.fullest - self.rows.iter().map(|&row| bounds.fullest_of_row[row]).sum::<i64>()
    }

    /// What the bounds say of a node, whose totals ascend.
    fn fate(&self, node: &[usize], layer: usize) -> Fate {
        if self.largest_earlier(node, layer) + self.largest_later(node, layer) <= self.bound {
            Fate::Extreme
        } else if self.smallest_earlier(layer) + self.smallest_later(node, layer) > self.bound {
            Fate::Ordinary
        } else {
            Fate::Open
        }
    }

    /// The nodes of a layer that are open: ascending totals, none above the row of the same rank.
    fn open_nodes(&self, layer: usize) -> Result<Layer> {
        struct Walk<'a> {
            network: &'a Network,
            layer: usize,
            /// Σ rows after each place.
            room: Vec<usize>,
            found: Vec<usize>,
            seen: usize,
        }
        impl Walk<'_> {
            fn visit(&mut self, node: &mut [usize], place: usize, least: usize, amount: usize) -> Result<()> {
                let places = node.len() - place;
                if places == 0 {
                    self.seen += 1;
                    self.network.require(self.seen.max(self.found.len() / node.len()))?;
                    if self.network.fate(node, self.layer) == Fate::Open {
                        self.found.extend_from_slice(node);
                    }
                    return Ok(());
                }
                let low = least.max(amount.saturating_sub(self.room[place]));
                for total in low..=(amount / places).min(self.network.rows[place]) {
                    node[place] = total;
                    self.visit(node, place + 1, total, amount - total)?;
                }
                Ok(())
            }
        }
        let width = self.rows.len();
        let mut room = vec![0; width];
        for place in (1..width).rev() {
            room[place - 1] = room[place] + self.rows[place];
        }
        let mut walk = Walk { network: self, layer, room, found: Vec::new(), seen: 0 };
        walk.visit(&mut vec![0; width], 0, 0, self.stages[layer..].iter().sum())?;
        Ok(Layer::new(walk.found, width, &self.hash_of))
    }

    /// Mass of the tables through a node of `layer` that the next column settles as extreme.
    fn settled_mass(&self, ahead: &Layer, number: usize, layer: usize, whole: i64) -> Result<f64> {
        let node = &ahead.totals[number * self.rows.len()..][..self.rows.len()];
        let ways = &ahead.ways[number];
        let (bounds, completions) = (&self.later[layer + 1], self.completions[layer + 1]);
        self.spend(Self::most_sharings(node, self.stages[layer]))?;
        let logs = &self.logs.values;
        let sharing = Sharing::new(node, |sum: Filling, place: usize, cell: usize| {
            let left = node[place] - cell;
            Filling {
                cells: sum.cells - logs[cell],
                largest: sum.largest + bounds.largest_of_row[left],
                left: sum.left - logs[left],
                ..sum
            }
        });
        let mut settled = 0.0;
        sharing.visit(&mut vec![0; node.len()], 0, self.stages[layer], NO_FILLING, &mut |_, filling| {
            let extreme = ways.up_to(self.bound - filling.cells - filling.largest - bounds.largest);
            if extreme > 0 {
                settled += ways.mass[extreme]
                    * self.logs.exp(ways.reference + filling.cells + completions + filling.left - whole);
            }
        });
        Ok(settled)
    }

    /// Products of the columns before a layer that leave these totals and are not settled yet.
    fn earlier_ways(&self, accumulator: &mut Accumulator, node: &[usize], layer: usize, ahead: &Layer) -> Result<Ways> {
        let column = self.stages[layer - 1];
        let (lower, upper) =
            (self.bound - self.largest_later(node, layer), self.bound - self.smallest_later(node, layer));
        let largest_row = self.rows[self.rows.len() - 1];
        let capacity: Vec<usize> = node.iter().map(|total| largest_row - total).collect();
        self.spend(Self::most_sharings(&capacity, column))?;
        let logs = &self.logs.values;
        let sharing = Sharing::new(&capacity, |sum: Filling, place: usize, cell: usize| Filling {
            hash: sum.hash.wrapping_add(self.hash_of[node[place] + cell]),
            cells: sum.cells - logs[cell],
            ..sum
        });
        // Of the rows with these totals in any order as many fill the node before as their ties say.
        let ties = node.chunk_by(|a, b| a == b).map(|equal| ln_factorial(equal.len() as u64)).sum::<f64>().exp();
        let (most, mut entries) = (self.most_work(), 0);
        sharing.visit(&mut vec![0; node.len()], 0, column, NO_FILLING, &mut |_, filling| {
            let Some(before) = ahead.find(filling.hash).filter(|_| entries <= most) else { return };
            let ways = &ahead.ways[before];
            let open = ways.up_to(lower - filling.cells)..ways.up_to(upper - filling.cells);
            let share = ahead.ties[before] / ties;
            entries += open.len() as u64;
            for (value, count) in ways.values[open.clone()].iter().zip(&ways.counts[open]) {
                accumulator.add(value + filling.cells, count * share);
            }
        });
        self.spend(entries as f64)?;
        Ok(Ways::new(accumulator.take(), None, 0.0, &self.logs))
    }

    /// Products of the columns from a layer on that fill these totals; masses are shares of their sum.
    fn later_ways(&self, accumulator: &mut Accumulator, node: &[usize], layer: usize, behind: &Layer) -> Result<Ways> {
        let column = self.stages[layer];
        let (lower, upper) =
            (self.bound - self.largest_earlier(node, layer), self.bound - self.smallest_earlier(layer));
        let whole = self.completion_sum(node, layer);
        let completions = self.completions[layer + 1];
        self.spend(Self::most_sharings(node, column))?;
        let logs = &self.logs.values;
        let sharing = Sharing::new(node, |sum: Filling, place: usize, cell: usize| {
            let left = node[place] - cell;
            Filling {
                hash: sum.hash.wrapping_add(self.hash_of[left]),
                cells: sum.cells - logs[cell],
                left: sum.left - logs[left],
                ..sum
            }
        });
        let (most, mut settled, mut entries) = (self.most_work(), 0.0, 0);
        let mut rest = vec![0; node.len()];
        sharing.visit(&mut vec![0; node.len()], 0, column, NO_FILLING, &mut |cells, filling| {
            let share = |extreme: f64| extreme * self.logs.exp(filling.cells + completions + filling.left - whole);
            let Some(after) = behind.find(filling.hash) else {
                rest.iter_mut().zip(node).zip(cells).for_each(|((rest, total), cell)| *rest = total - cell);
                rest.sort_unstable();
                if self.fate(&rest, layer + 1) == Fate::Extreme {
                    settled += share(1.0);
                }
                return;
            };
            let ways = &behind.ways[after];
            let open = ways.up_to(lower - filling.cells)..ways.up_to(upper - filling.cells);
            let extreme = ways.settled + ways.mass[open.start];
            if extreme > 0.0 {
                settled += share(extreme);
            }
            entries += open.len() as u64;
            if entries > most {
                return;
            }
            for (value, count) in ways.values[open.clone()].iter().zip(&ways.counts[open]) {
                accumulator.add(value + filling.cells, *count);
            }
        });
        self.spend(entries as f64)?;
        Ok(Ways::new(accumulator.take(), Some(whole), settled, &self.logs))
    }
}
