//! The JSON faces of Claviger. No rule lives here.

pub mod carbon_black;
pub mod kit;
