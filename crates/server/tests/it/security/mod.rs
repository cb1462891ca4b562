//! Attacks and faults, by the groups of the security cases: A secrets, D caches, E addresses, F boundaries, G rights, L audit, Q errors.

mod address;
mod audit;
mod boundary;
mod crash;
mod errors;
mod faults;
mod guesses;
mod matrix;
mod neighbours;
mod nodes;
mod protected;
mod references;
mod restored;
mod scanners;
mod secrets;
mod start;
