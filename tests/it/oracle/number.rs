//! Exact numbers, rounded once at the end: half away from zero, two decimals.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Sub};

use serde_json::Value;

/// A rational number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fraction {
    over: i128,
    /// Never below 1.
    under: i128,
}

impl Fraction {
    pub(super) const ZERO: Self = Self { over: 0, under: 1 };

    /// 0 where the denominator is 0.
    pub(super) fn new(over: i128, under: i128) -> Self {
        if under == 0 {
            return Self::ZERO;
        }
        let mut divisor = (over.abs(), under.abs());
        while divisor.1 != 0 {
            divisor = (divisor.1, divisor.0 % divisor.1);
        }
        let divisor = divisor.0 * under.signum();
        Self {
            over: over / divisor,
            under: under / divisor,
        }
    }

    pub(super) fn whole(number: i128) -> Self {
        Self::new(number, 1)
    }

    /// A part of a whole, times 100.
    pub(super) fn percent(part: usize, whole: usize) -> Self {
        Self::new(100 * count(part), count(whole))
    }

    /// The mean; 0 of nothing.
    pub(super) fn mean(numbers: impl IntoIterator<Item = Self>) -> Self {
        let (sum, members) = numbers
            .into_iter()
            .fold((Self::ZERO, 0), |(sum, members), number| {
                (sum + number, members + 1)
            });
        sum / Self::whole(members)
    }

    pub(super) fn half(self) -> Self {
        self / Self::whole(2)
    }

    /// The nearest whole number; of two equally near ones that farther from zero.
    pub(super) fn round(self) -> i128 {
        let rounded = (self.over.abs() * 2 + self.under).div_euclid(self.under * 2);
        rounded * self.over.signum()
    }

    /// The number as it is sent; labels are chosen from it.
    pub(super) fn rounded(self) -> Self {
        Self::new((self * Self::whole(100)).round(), 100)
    }

    /// As JSON with two decimals.
    #[expect(
        clippy::cast_precision_loss,
        reason = "figures have far fewer than 15 digits"
    )]
    pub(super) fn json(self) -> Value {
        Value::from((self * Self::whole(100)).round() as f64 / 100.0)
    }
}

pub(super) fn count(items: usize) -> i128 {
    i128::try_from(items).expect("a scenario is small")
}

/// The label of the first step that the number reaches.
pub(super) fn reached(
    number: Fraction,
    steps: &[(i128, &'static str)],
    below: &'static str,
) -> &'static str {
    steps
        .iter()
        .find(|(step, _)| number >= Fraction::whole(*step))
        .map_or(below, |(_, label)| label)
}

/// The label of the first step that the number does not pass.
pub(super) fn within(
    number: Fraction,
    steps: &[(i128, &'static str)],
    above: &'static str,
) -> &'static str {
    steps
        .iter()
        .find(|(step, _)| number <= Fraction::whole(*step))
        .map_or(above, |(_, label)| label)
}

impl Add for Fraction {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(
            self.over * other.under + other.over * self.under,
            self.under * other.under,
        )
    }
}

impl Sub for Fraction {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + Self::new(-other.over, other.under)
    }
}

impl Mul for Fraction {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::new(self.over * other.over, self.under * other.under)
    }
}

/// By zero it is zero, as every ratio of the contract.
impl Div for Fraction {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        Self::new(self.over * other.under, self.under * other.over)
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.over * other.under).cmp(&(other.over * self.under))
    }
}

#[test]
fn a_number_is_rounded_half_away_from_zero_and_a_ratio_to_nothing_is_zero() {
    for (over, under, expected) in [
        (2, 3, 0.67),
        (1, 8, 0.13),
        (-1, 8, -0.13),
        (5, 0, 0.0),
        (-6, -4, 1.5),
    ] {
        assert_eq!(Fraction::new(over, under).json(), Value::from(expected));
    }
    assert!(Fraction::new(1, 3) < Fraction::new(-1, -2));
    assert_eq!(
        Fraction::mean([Fraction::whole(1), Fraction::whole(2)]),
        Fraction::new(3, 2)
    );
}
