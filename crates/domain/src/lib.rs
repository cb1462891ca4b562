//! Nouns and rules of Claviger: no I/O, no async, no ambient clock or randomness.
