//! Rules about the tree itself, each a test that says where it is broken and how to mend it: what the crates and faces
//! may use, where SQL may stand, what the dependencies' licences are, and that documents name only what exists.
//! It reads files and cargo's metadata; it uses none of our crates.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod packages;
#[cfg(test)]
mod source;
#[cfg(test)]
mod spdx;
#[cfg(test)]
mod tree;
