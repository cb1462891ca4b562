//! User agents as the meter keeps them: bounded, and told apart without a look at their texts.

use claviger_domain::application::USER_AGENT_MAX;

/// Sixty-four bits of a text, quickly; whoever makes two texts meet keeps the older one on record.
pub(super) fn fingerprint(text: &str) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(ODD).rotate_left(29);
    let words = text.as_bytes().chunks_exact(8);
    let rest = words.remainder().iter().fold(1, |rest, byte| (rest << 8) | u64::from(*byte));
    let sum = words.filter_map(|word| word.try_into().ok()).map(u64::from_le_bytes).fold(ODD, mix);
    mix(mix(sum, rest), sum >> 32)
}

/// As much of a user agent as is kept.
pub(super) fn cut(text: &str) -> &str {
    if text.len() <= USER_AGENT_MAX {
        return text;
    }
    let end = (0..=USER_AGENT_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents_are_told_apart() {
        let texts = ["", "a", "b", "ab", "ba", "curl/8.1", "curl/8.2", "curl/8.11", "curl/8.1\0", "\0", "\0\0"];
        let prints: std::collections::HashSet<_> = texts.iter().map(|text| fingerprint(text)).collect();
        assert_eq!(prints.len(), texts.len());
    }
}
