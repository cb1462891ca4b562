//! The JSON faces of Claviger. No rule lives here.

pub mod kit;
