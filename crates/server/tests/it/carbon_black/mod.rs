//! The Carbon Black face.

mod audit_log;
mod csp;
mod people;
