//! Order of file names as people count: `frame2` before `frame10`.

use std::cmp::Ordering;

/// Compares two names with runs of digits taken as numbers of any length.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(first), Some(second)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        if first.is_ascii_digit() && second.is_ascii_digit() {
            let ((number, left_rest), (other, right_rest)) = (split_number(left), split_number(right));
            match number.len().cmp(&other.len()).then_with(|| number.cmp(other)) {
                Ordering::Equal => (left, right) = (left_rest, right_rest),
                unequal => return unequal,
            }
        } else if first == second {
            (left, right) = (&left[first.len_utf8()..], &right[second.len_utf8()..]);
        } else {
            return first.cmp(&second);
        }
    }
}

/// The digits at the start, without leading zeros, and the rest.
fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    (digits.trim_start_matches('0'), rest)
}
