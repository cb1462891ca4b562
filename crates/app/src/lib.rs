//! The verbs of Claviger: one method, one transaction, one audit entry; and the live state that the hot path reads.
