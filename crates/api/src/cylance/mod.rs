//! The Cylance User API: `/auth/v2/token`, and the families of resources under `/{family}/v2`. It translates and holds no
//! rule. Of the families it knows so far which scope each call takes; their data are not kept here yet, and whoever holds
//! the scope is told so.

mod assertion;
mod error;
mod gate;
pub mod routes;
mod token;
