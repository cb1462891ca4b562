//! Verbs on a real store, on each engine: what holds whatever face calls them.

#![expect(clippy::tests_outside_test_module, reason = "the whole binary is tests")]

mod fixture;
mod keyring;
mod record;
mod rights;
