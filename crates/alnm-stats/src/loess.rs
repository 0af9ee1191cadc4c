//! Local quadratic regression on one variable (Cleveland and Devlin 1988), as R's `loess(family = "gaussian")`.

use crate::describe::sorted;
use crate::error::{Result, StatsError, require_count, require_finite, require_same_length};

/// How the surface is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LoessSurface {
    /// A local fit at every point.
    #[default]
    Direct,
    /// R's default: local fits at the vertices of a k-d tree, cubic blending between them. Differs from the direct
    /// surface in the third digit and is here to reproduce R.
    Interpolate,
}

/// Parameters of the regression.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `span` | 0.75 | Share of the points in a neighbourhood; above 1 the bandwidth grows. | above 0 |
/// | `surface` | direct | How the surface is computed. | |
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct LoessParams {
    /// Share of the points in a neighbourhood.
    pub span: f64,
    /// How the surface is computed.
    pub surface: LoessSurface,
}

impl Default for LoessParams {
    fn default() -> Self {
        Self { span: 0.75, surface: LoessSurface::Direct }
    }
}

impl LoessParams {
    /// Sets the share of the points in a neighbourhood.
    pub fn with_span(self, span: f64) -> Self {
        Self { span, ..self }
    }

    /// Sets how the surface is computed.
    pub fn with_surface(self, surface: LoessSurface) -> Self {
        Self { surface, ..self }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] for the span.
    pub fn check(self) -> Result<LoessSmoother> {
        if !(self.span > 0.0 && self.span.is_finite()) {
            return Err(StatsError::parameter("span", self.span, "above 0 and finite"));
        }
        Ok(LoessSmoother(self))
    }
}

/// A local regression with checked parameters, ready to be fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoessSmoother(LoessParams);

impl LoessSmoother {
    /// Fits `y` over `x`.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`], [`StatsError::TooFew`] below three points in a neighbourhood,
    /// [`StatsError::NonFinite`], [`StatsError::Undefined`] when a neighbourhood holds a single value of `x`.
    pub fn fit(&self, x: &[f64], y: &[f64]) -> Result<Loess> {
        Loess::of(x, y, self.0)
    }
}

/// A fitted local regression.
#[derive(Debug, Clone)]
pub struct Loess {
    x: Vec<f64>,
    y: Vec<f64>,
    params: LoessParams,
    neighbours: usize,
    vertices: Vec<Vertex>,
}

/// A place with the value and slope of its local fit.
#[derive(Debug, Clone, Copy)]
struct Vertex {
    at: f64,
    value: f64,
    slope: f64,
}

impl Loess {
    /// Fits `y` over `x`, under parameters that are checked first.
    ///
    /// # Errors
    /// As [`LoessParams::check`] and [`LoessSmoother::fit`].
    ///
    /// ```
    /// use alnm_stats::loess::{Loess, LoessParams};
    /// let (x, y) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 4.0, 9.0, 16.0, 25.0, 36.0]);
    /// let fit = Loess::fit(&x, &y, LoessParams::default().with_span(1.0))?;
    /// assert!((fit.predict(2.5)? - 6.25).abs() < 1e-9);
    /// # Ok::<(), alnm_stats::StatsError>(())
    /// ```
    pub fn fit(x: &[f64], y: &[f64], params: LoessParams) -> Result<Self> {
        params.check()?.fit(x, y)
    }

    fn of(x: &[f64], y: &[f64], params: LoessParams) -> Result<Self> {
        const OPERATION: &str = "loess";
        require_same_length(OPERATION, x.len(), y.len())?;
        require_finite(OPERATION, x)?;
        require_finite(OPERATION, y)?;
        let n = x.len();
        let neighbours = n.min((n as f64 * params.span + 1e-5) as usize);
        require_count(OPERATION, "observations per neighbourhood", 3, neighbours)?;
        let mut fit = Self { x: x.to_vec(), y: y.to_vec(), params, neighbours, vertices: Vec::new() };
        if params.surface == LoessSurface::Interpolate {
            let places = vertex_places(&sorted(x), (n as f64 * params.span * 0.2) as usize);
            fit.vertices = places.into_iter().map(|at| fit.local(at)).collect::<Result<_>>()?;
        }
        Ok(fit)
    }

    /// Value of the curve at `at`.
    ///
    /// # Errors
    /// [`StatsError::Undefined`] when the neighbourhood holds a single value of `x`, or beyond the data on an
    /// interpolated surface.
    pub fn predict(&self, at: f64) -> Result<f64> {
        match self.params.surface {
            LoessSurface::Direct => Ok(self.local(at)?.value),
            LoessSurface::Interpolate => {
                let right = self.vertices.partition_point(|v| v.at < at);
                if right == self.vertices.len() || (right == 0 && self.vertices[0].at != at) {
                    return Err(StatsError::Undefined {
                        operation: "loess",
                        requirement: "an interpolated surface is evaluated within the range of the data only",
                    });
                }
                Ok(blend(self.vertices[right.max(1) - 1], self.vertices[right.max(1)], at))
            }
        }
    }

    /// Values of the curve at the data, in their order.
    ///
    /// # Errors
    /// As [`Loess::predict`].
    pub fn fitted(&self) -> Result<Vec<f64>> {
        self.x.iter().map(|&at| self.predict(at)).collect()
    }

    /// Value of the direct surface at `at` with the length of its operator row: the standard error over the residual
    /// scale.
    pub(crate) fn estimate(&self, at: f64) -> Result<LoessEstimate> {
        let Neighbourhood { points, design } = self.neighbourhood(at)?;
        let operator = operator_row(design, &roots(&points));
        let value = points.iter().zip(&operator).map(|((i, _), l)| l * self.y[*i]).sum();
        Ok(LoessEstimate { value, relative_error: operator.iter().map(|l| l * l).sum::<f64>().sqrt() })
    }

    /// Residual scale and degrees of freedom of the direct surface from its operator L, with δ₁ = tr R and δ₂ = tr R²
    /// of R = (I − L)(I − L)ᵀ: the scale is √(Σ residual²/δ₁), the degrees of freedom δ₁²/δ₂. Beyond 1500 points δ₂,
    /// which takes a time with the cube of their number, is left out and the degrees of freedom are infinite.
    pub(crate) fn inference(&self) -> Result<LoessInference> {
        const LARGEST: usize = 1500;
        let n = self.x.len();
        let whole = n <= LARGEST;
        let mut residual_rows = Vec::new();
        let (mut delta1, mut squares) = (0.0, 0.0);
        for i in 0..n {
            let Neighbourhood { points, design } = self.neighbourhood(self.x[i])?;
            let operator = operator_row(design, &roots(&points));
            let mut row = vec![0.0; n];
            row[i] = 1.0;
            points.iter().zip(&operator).for_each(|((j, _), l)| row[*j] -= l);
            delta1 += row.iter().map(|v| v * v).sum::<f64>();
            squares += row.iter().zip(&self.y).map(|(v, y)| v * y).sum::<f64>().powi(2);
            if whole {
                residual_rows.push(row);
            }
        }
        let mut delta2 = 0.0;
        for (i, first) in residual_rows.iter().enumerate() {
            for (j, second) in residual_rows[..=i].iter().enumerate() {
                let product: f64 = first.iter().zip(second).map(|(a, b)| a * b).sum();
                delta2 += if i == j { product * product } else { 2.0 * product * product };
            }
        }
        Ok(LoessInference {
            residual_scale: (squares / delta1).sqrt(),
            degrees_of_freedom: if whole { delta1 * delta1 / delta2 } else { f64::INFINITY },
        })
    }

    /// Local quadratic fit with tricube weights. Columns are scaled to length 1; directions that the neighbourhood does
    /// not determine are left out by the pseudo-inverse.
    fn local(&self, at: f64) -> Result<Vertex> {
        let Neighbourhood { points, design } = self.neighbourhood(at)?;
        let response: Vec<f64> = points.iter().map(|(i, w)| w * self.y[*i]).collect();
        let coefficients = least_squares(design, &response);
        Ok(Vertex { at, value: coefficients[0], slope: coefficients[1] })
    }

    /// The points around `at`, each with the root of its weight, and their weighted design.
    fn neighbourhood(&self, at: f64) -> Result<Neighbourhood> {
        let mut distances: Vec<f64> = self.x.iter().map(|v| (v - at).powi(2)).collect();
        let (_, &mut furthest, _) = distances.select_nth_unstable_by(self.neighbours - 1, f64::total_cmp);
        let bandwidth = furthest * self.params.span.max(1.0);
        if bandwidth <= 0.0 {
            return Err(StatsError::Undefined {
                operation: "loess",
                requirement: "each neighbourhood must hold at least two different values; raise the span",
            });
        }
        let mut design: Vec<[f64; 3]> = Vec::with_capacity(self.neighbours);
        let mut points = Vec::with_capacity(self.neighbours);
        for (i, &x) in self.x.iter().enumerate() {
            let squared = (x - at).powi(2);
            if squared < bandwidth && squared <= furthest {
                let w = (1.0 - (squared / bandwidth).sqrt().powi(3)).powi(3).sqrt();
                design.push([w, w * (x - at), w * squared]);
                points.push((i, w));
            }
        }
        if design.is_empty() {
            return Err(StatsError::Undefined {
                operation: "loess",
                requirement: "each neighbourhood must hold a value inside its boundary; raise the span",
            });
        }
        Ok(Neighbourhood { points, design })
    }
}

fn roots(points: &[(usize, f64)]) -> Vec<f64> {
    points.iter().map(|(_, root)| *root).collect()
}

/// The points around a place.
struct Neighbourhood {
    /// Position of each point and the root of its weight.
    points: Vec<(usize, f64)>,
    /// The weighted design of the points.
    design: Vec<[f64; 3]>,
}

/// Value of a direct surface.
pub(crate) struct LoessEstimate {
    pub(crate) value: f64,
    /// Standard error over the residual scale.
    pub(crate) relative_error: f64,
}

/// Residual scale of a fit and the degrees of freedom of its intervals.
pub(crate) struct LoessInference {
    pub(crate) residual_scale: f64,
    pub(crate) degrees_of_freedom: f64,
}

/// A design with columns of length 1, rotated until they are orthogonal: U Σ of its singular value decomposition U Σ
/// Vᵀ.
struct Rotated {
    design: Vec<[f64; 3]>,
    v: [[f64; 3]; 3],
    /// Lengths of the columns before they were scaled.
    lengths: [f64; 3],
    /// Squared singular values, infinite where the design does not determine a direction, which leaves it out.
    squared: [f64; 3],
}

/// One-sided Jacobi rotations (Hestenes 1958).
fn rotate(mut design: Vec<[f64; 3]>) -> Rotated {
    let mut lengths = [1.0; 3];
    for (c, length) in lengths.iter_mut().enumerate() {
        let norm = design.iter().map(|r| r[c] * r[c]).sum::<f64>().sqrt();
        if norm > 0.0 {
            *length = norm;
            design.iter_mut().for_each(|r| r[c] /= norm);
        }
    }
    let mut v = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..60 {
        let mut rotated = false;
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            let product = |a: usize, b: usize| design.iter().map(|r| r[a] * r[b]).sum::<f64>();
            let (alpha, beta, gamma) = (product(p, p), product(q, q), product(p, q));
            if gamma.abs() <= 1e-15 * (alpha * beta).sqrt() || gamma == 0.0 {
                continue;
            }
            rotated = true;
            let zeta = (beta - alpha) / (2.0 * gamma);
            let t = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
            let c = 1.0 / (1.0 + t * t).sqrt();
            let s = c * t;
            for r in design.iter_mut().chain(v.iter_mut()) {
                let (a, b) = (r[p], r[q]);
                r[p] = c * a - s * b;
                r[q] = s * a + c * b;
            }
        }
        if !rotated {
            break;
        }
    }
    let singular = [0, 1, 2].map(|c| design.iter().map(|r| r[c] * r[c]).sum::<f64>().sqrt());
    let smallest = singular.iter().copied().fold(0.0, f64::max) * 100.0 * f64::EPSILON;
    let squared = singular.map(|s| if s > smallest { s * s } else { f64::INFINITY });
    Rotated { design, v, lengths, squared }
}

/// Minimum-norm least squares with three unknowns.
fn least_squares(design: Vec<[f64; 3]>, response: &[f64]) -> [f64; 3] {
    let Rotated { design, v, lengths, squared } = rotate(design);
    let mut solution = [0.0; 3];
    for c in (0..3).filter(|&c| squared[c].is_finite()) {
        let projection = design.iter().zip(response).map(|(r, y)| r[c] * y).sum::<f64>() / squared[c];
        for (k, s) in solution.iter_mut().enumerate() {
            *s += v[k][c] * projection;
        }
    }
    [solution[0] / lengths[0], solution[1] / lengths[1], solution[2] / lengths[2]]
}

/// The weights with which the responses of a neighbourhood, each with the root of its own weight, enter the value of
/// its local fit.
fn operator_row(design: Vec<[f64; 3]>, roots: &[f64]) -> Vec<f64> {
    let Rotated { design, v, lengths, squared } = rotate(design);
    let weight = |row: &[f64; 3]| (0..3).map(|c| v[0][c] * row[c] / squared[c]).sum::<f64>() / lengths[0];
    design.iter().zip(roots).map(|(row, root)| weight(row) * root).collect()
}

/// Vertices of the one-dimensional k-d tree: the slightly widened range, cut near medians until a cell holds at most
/// `cell` points.
fn vertex_places(x: &[f64], cell: usize) -> Vec<f64> {
    let (low, high) = (x[0], x[x.len() - 1]);
    let margin = 0.005 * (high - low).max(1e-10 * low.abs().max(high.abs()) + 1e-30);
    let mut places = vec![low - margin, high + margin];
    cut(x, 0, x.len() - 1, (low - margin, high + margin), cell, &mut places);
    places.sort_unstable_by(f64::total_cmp);
    places
}

fn cut(x: &[f64], l: usize, u: usize, (low, high): (f64, f64), cell: usize, places: &mut Vec<f64>) {
    if u + 1 - l <= cell {
        return;
    }
    // Positions are counted from 1 in the halving rule, so that the lower half gets the middle one.
    let middle = (l + u + 2) / 2 - 1;
    // The nearest gap between distinct values, tried alternately to the right and to the left of the middle.
    let mut offset = 0i64;
    let m = loop {
        let candidate = middle as i64 + offset;
        if candidate >= u as i64 || candidate < l as i64 {
            break middle;
        }
        let m = candidate as usize;
        if x[m] != x[m + 1] {
            break m;
        }
        offset = -offset;
        if offset >= 0 {
            offset += 1;
        }
    };
    let place = x[m];
    if place == low || place == high {
        return;
    }
    places.push(place);
    cut(x, l, m, (low, place), cell, places);
    cut(x, m + 1, u, (place, high), cell, places);
}

/// Cubic Hermite interpolation between two vertices.
fn blend(left: Vertex, right: Vertex, at: f64) -> f64 {
    let width = right.at - left.at;
    let h = (at - left.at) / width;
    let g = 1.0 - h;
    g * g * (1.0 + 2.0 * h) * left.value
        + h * h * (3.0 - 2.0 * h) * right.value
        + (h * g * g * left.slope - h * h * g * right.slope) * width
}
