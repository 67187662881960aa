//! The brake on dead letters: a flood of bad records means that something else is wrong.

use std::collections::VecDeque;

/// How many of one partition's records may become dead letters before it pauses.
///
/// Two limits: so many in a row, and so large a part of the latest records. Only records that are handled well give
/// room again, so a paused partition stays paused until its handler copes or somebody [renews](Self::renew) the budget.
#[derive(Debug, Clone)]
pub struct DeadLetterBudget {
    run: u32,
    run_max: u32,
    window: VecDeque<bool>,
    window_records: usize,
    dead_in_window: usize,
    dead_max: usize,
    /// Dead letters that somebody has let through beforehand.
    allowance: u32,
}

impl DeadLetterBudget {
    /// A budget of `run_max` in a row and `ratio_max` of the latest `window_records`, at least one.
    #[must_use]
    pub fn new(run_max: u32, ratio_max: f64, window_records: u32) -> Self {
        // The part is always taken of a full window, so that the first bad record of a start does not exceed it.
        let dead_max = (ratio_max * f64::from(window_records)).floor() as usize;
        Self {
            run: 0,
            run_max,
            window: VecDeque::new(),
            window_records: window_records as usize,
            dead_in_window: 0,
            dead_max: dead_max.max(1),
            allowance: 0,
        }
    }

    /// Counts a record that was handled.
    pub fn handled(&mut self) {
        self.run = 0;
        self.push(false);
    }

    /// Takes room for one dead letter; `false` when there is none.
    pub fn admit(&mut self) -> bool {
        if self.allowance > 0 {
            self.allowance -= 1;
            return true;
        }
        if self.is_exhausted() {
            return false;
        }
        self.run += 1;
        self.push(true);
        true
    }

    /// Whether there is no room for another dead letter.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.allowance == 0 && (self.run >= self.run_max || self.dead_in_window >= self.dead_max)
    }

    /// Begins anew, after so many dead letters that do not count.
    pub fn renew(&mut self, allowance: u32) {
        self.run = 0;
        self.window.clear();
        self.dead_in_window = 0;
        self.allowance = allowance;
    }

    fn push(&mut self, dead: bool) {
        if self.window.len() == self.window_records && self.window.pop_front() == Some(true) {
            self.dead_in_window -= 1;
        }
        self.window.push_back(dead);
        self.dead_in_window += usize::from(dead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_dead_letters_exhausts_the_budget_and_one_success_renews_it() {
        let mut budget = DeadLetterBudget::new(3, 1.0, 1000);
        assert!((0..3).all(|_| budget.admit()));
        assert!(!budget.admit());
        budget.handled();
        assert!(budget.admit());
    }

    #[test]
    fn a_large_part_of_the_latest_records_exhausts_the_budget_without_any_run() {
        let mut budget = DeadLetterBudget::new(100, 0.25, 8);
        for _ in 0..2 {
            assert!(budget.admit());
            budget.handled();
        }
        assert!(!budget.admit(), "two of eight are a quarter");
        for _ in 0..4 {
            budget.handled();
        }
        assert!(!budget.admit(), "both are still in the window");
        budget.handled();
        assert!(budget.admit(), "the first has left the window");
    }

    #[test]
    fn a_renewed_budget_begins_anew_behind_its_allowance() {
        let mut budget = DeadLetterBudget::new(2, 1.0, 1000);
        assert!((0..2).all(|_| budget.admit()));
        assert!(!budget.admit());
        budget.renew(3);
        assert!((0..5).all(|_| budget.admit()));
        assert!(!budget.admit());
        budget.renew(0);
        assert!(budget.admit());
    }

    #[test]
    fn a_small_ratio_still_lets_one_dead_letter_through() {
        assert!(DeadLetterBudget::new(10, 0.0, 10).admit());
    }
}
