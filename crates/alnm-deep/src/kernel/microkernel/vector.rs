//! A register of single-precision numbers: what the kernels need of an instruction set.

/// A register of [`Vector::LANES`] numbers.
///
/// # Safety
/// The methods compile to instructions of the set that the type names: they may run only on a processor that has it,
/// and are meant to be inlined into a function compiled for it. `load` and `store` touch [`Vector::LANES`] numbers from
/// the pointer on; alignment does not matter.
pub(super) trait Vector: Copy {
    /// Numbers in a register.
    const LANES: usize;
    /// Rows of the tallest tile, two registers wide, whose sums fit in the registers.
    const TILE: usize;
    /// Numbers of a row that a product sums before it goes on to the next tile.
    const DEPTH: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, into: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// The larger number; `other` where either is NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// `self · factor + term`.
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;
    /// Asks for the cache line of an address, which need not be readable.
    #[inline(always)]
    fn prefetch(address: *const f32) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: SSE is part of the architecture, and a prefetch never faults.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = address;
    }
}

/// Eight numbers that the compiler places as it can: runs everywhere.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 8]);

impl Portable {
    #[inline(always)]
    fn each(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| f(self.0[lane], other.0[lane])))
    }
}

impl Vector for Portable {
    const LANES: usize = 8;
    const TILE: usize = 2;
    const DEPTH: usize = 512;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 8])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for eight numbers; an array of `f32` needs no more alignment than one of them.
        Self(unsafe { from.cast::<[f32; 8]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, into: *mut f32) {
        // SAFETY: as in `load`, and the caller vouches that the numbers may be written.
        unsafe { into.cast::<[f32; 8]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.each(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.each(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.each(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.each(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] * factor.0[lane] + term.0[lane]))
    }
}

/// Implements [`Vector`] by the intrinsics of an instruction set.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($name:ident, $register:ident, $lanes:literal, tile $tile:literal, depth $depth:expr, $splat:ident $load:ident $store:ident
        $add:ident $sub:ident $mul:ident $max:ident $mul_add:ident) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name(std::arch::x86_64::$register);

        impl Vector for $name {
            const LANES: usize = $lanes;
            const TILE: usize = $tile;
            const DEPTH: usize = $depth;

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                Self(unsafe { std::arch::x86_64::$splat(value) })
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller vouches for the numbers at the address and for the instruction set.
                Self(unsafe { std::arch::x86_64::$load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, into: *mut f32) {
                // SAFETY: the caller vouches for the numbers at the address and for the instruction set.
                unsafe { std::arch::x86_64::$store(into, self.0) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                Self(unsafe { std::arch::x86_64::$add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                Self(unsafe { std::arch::x86_64::$sub(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                Self(unsafe { std::arch::x86_64::$mul(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                Self(unsafe { std::arch::x86_64::$max(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                Self(unsafe { std::arch::x86_64::$mul_add(self.0, factor.0, term.0) })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
vector!(Avx512, __m512, 16, tile 14, depth usize::MAX, _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps
    _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_max_ps _mm512_fmadd_ps);
#[cfg(target_arch = "x86_64")]
vector!(Avx2, __m256, 8, tile 6, depth 512, _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps
    _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_max_ps _mm256_fmadd_ps);
