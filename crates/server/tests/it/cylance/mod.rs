//! The Cylance User API.

mod token;
