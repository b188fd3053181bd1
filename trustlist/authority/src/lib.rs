//! The publisher's desk: keys, lists, publishing, test codes. Never installed on a gate.
